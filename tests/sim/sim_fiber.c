/* sim_fiber.c -- see sim_fiber.h. The address sanitizer must be told when the stack is another. */
#include "tests/sim/sim_fiber.h"

#include <ucontext.h>

#include "nwr/base.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#define SWITCH_BEGINS(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define SWITCH_ENDS(save, bottom, size) __sanitizer_finish_switch_fiber(save, bottom, size)
#else
#define SWITCH_BEGINS(save, bottom, size) ((void)(bottom), (void)(size))
#define SWITCH_ENDS(save, bottom, size) ((void)(bottom), (void)(size))
#endif

enum {
    STACK_BYTES = 256 << 10
};

struct sim_fiber {
    ucontext_t inside, outside;
    void (*fn)(void *arg);
    void *arg;
    char *stack;
    const void *outer_stack;
    size_t outer_bytes;
    void *fake; /* of the sanitizer */
    bool begun, ended;
};

static void enter(unsigned high, unsigned low)
{
    struct sim_fiber *f = (struct sim_fiber *)((uintptr_t)high << 32 | (uintptr_t)low);

    SWITCH_ENDS(NULL, &f->outer_stack, &f->outer_bytes);
    f->fn(f->arg);
    f->ended = true;
    SWITCH_BEGINS(NULL, f->outer_stack, f->outer_bytes);
    setcontext(&f->outside);
}

struct sim_fiber *sim_fiber_create(void (*fn)(void *arg), void *arg)
{
    struct sim_fiber *f = nwr_zalloc(sizeof(*f));

    f->fn = fn;
    f->arg = arg;
    f->stack = nwr_zalloc(STACK_BYTES);
    nwr_assert(getcontext(&f->inside) == 0);
    f->inside.uc_stack.ss_sp = f->stack;
    f->inside.uc_stack.ss_size = STACK_BYTES;
    makecontext(&f->inside, (void (*)(void))enter, 2, (unsigned)((uintptr_t)f >> 32),
                (unsigned)(uintptr_t)f);
    return f;
}

void sim_fiber_destroy(struct sim_fiber *f)
{
    nwr_assert(f->ended || !f->begun);
    nwr_free(f->stack);
    nwr_free(f);
}

void sim_fiber_resume(struct sim_fiber *f)
{
    void *fake = NULL;

    nwr_assert(!f->ended);
    f->begun = true;
    SWITCH_BEGINS(&fake, f->stack, STACK_BYTES);
    swapcontext(&f->outside, &f->inside);
    SWITCH_ENDS(fake, NULL, NULL);
    (void)fake;
}

void sim_fiber_wait(struct sim_fiber *f)
{
    SWITCH_BEGINS(&f->fake, f->outer_stack, f->outer_bytes);
    swapcontext(&f->inside, &f->outside);
    SWITCH_ENDS(f->fake, &f->outer_stack, &f->outer_bytes);
}

bool sim_fiber_ended(const struct sim_fiber *f)
{
    return f->ended;
}
