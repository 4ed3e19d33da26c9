# nwrfs: one Makefile, not recursive over directories. `make help` lists the targets.
#
#   make FLAVOR=debug|release|asan|tsan|cov CC=gcc|clang B=build
#
# Output goes to $(B)/$(FLAVOR)/ (with clang: $(B)/$(FLAVOR)-clang/). Every folder of the tree is an
# archive; MODULES lists them from top to bottom, so that the link order is the layering: an
# archive may use only what stands to its right.

B      ?= build
FLAVOR ?= release
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
JOBS ?= 2

COMPILER := $(if $(findstring clang,$(notdir $(CC))),clang,gcc)
O        := $(B)/$(FLAVOR)$(if $(filter clang,$(COMPILER)),-clang)
PROGRAM  := $(O)/nwrfs

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# ---- modules ------------------------------------------------------------------------------------

MODULES := tools fs/fuse fs/core net/link net/http net/uv net/tls net/store net/wire net/core \
           include/src
TESTDIRS := fuzz sim fs contract unit lib

modname   = $(if $(filter include/src,$1),base,$(subst /,_,$1))
objs      = $(patsubst %.c,$(O)/%.o,$1)
sources   = $(sort $(wildcard $1/*.c))
# The file with main stays out of the archive, so that tests can link the rest.
MAINS    := tools/nwrfs.c tests/sim/sim.c
libsrc    = $(filter-out $(MAINS) %_test.c,$(call sources,$1))
archive   = $(if $(call libsrc,$1),$(O)/lib/libnwr_$(call modname,$1).a)

LIBS      := $(foreach m,$(MODULES),$(call archive,$m))
TESTLIBS  := $(foreach d,$(TESTDIRS),$(call archive,tests/$d))

# ---- flags --------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
        -Werror
BASE := -std=c11 -D_GNU_SOURCE -Iinclude -I. -g -fno-strict-aliasing -ffunction-sections \
        -fdata-sections $(WARN)

FLAGS_debug   := -O0
FLAGS_release := -O2 -fstack-protector-strong
FLAGS_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread
FLAGS_cov     := -O0 --coverage
ifeq ($(origin FLAGS_$(FLAVOR)),undefined)
$(error FLAVOR=$(FLAVOR) is not one of debug release asan tsan cov)
endif
# gcc's flow analysis reports false uninitialized uses in instrumented code.
ifneq ($(filter asan tsan,$(FLAVOR)),)
BASE += $(if $(filter gcc,$(COMPILER)),-Wno-maybe-uninitialized)
endif

# pkg-config is asked once, at the first use and not when this file is read: on a fresh machine
# `make deps` may only just have installed it.
once = $(eval $1 := $(shell $2))$($1)
FUSE_CFLAGS    = $(call once,FUSE_CFLAGS,pkg-config --cflags fuse3 || echo -I/usr/include/fuse3)
FUSE_LIBS      = $(call once,FUSE_LIBS,pkg-config --libs fuse3 || echo -lfuse3 -lpthread)
UV_CFLAGS      = $(call once,UV_CFLAGS,pkg-config --cflags libuv)
UV_LIBS        = $(call once,UV_LIBS,pkg-config --libs libuv || echo -luv)
MSGPACK_CFLAGS = $(call once,MSGPACK_CFLAGS,pkg-config --cflags msgpack 2>/dev/null || \
                   pkg-config --cflags msgpack-c)
MSGPACK_LIBS   = $(call once,MSGPACK_LIBS,pkg-config --libs msgpack 2>/dev/null || \
                   pkg-config --libs msgpack-c 2>/dev/null || echo -lmsgpackc)
SSL_LIBS       = $(call once,SSL_LIBS,pkg-config --libs openssl || echo -lssl -lcrypto)
CMOCKA_LIBS    = $(call once,CMOCKA_LIBS,pkg-config --libs cmocka || echo -lcmocka)
ROCKS_LIBS     = -lrocksdb

# A folder sees the headers of its own third-party library only.
CFLAGS_fs/fuse   = $(FUSE_CFLAGS) $(UV_CFLAGS)
CFLAGS_net/uv    = $(UV_CFLAGS)
CFLAGS_net/link  = $(UV_CFLAGS)
CFLAGS_net/wire  = $(MSGPACK_CFLAGS)
CFLAGS_net/store = -DXXH_INLINE_ALL
CFLAGS_tools     = $(FUSE_CFLAGS) $(UV_CFLAGS)
CFLAGS_tests     = $(FUSE_CFLAGS) $(UV_CFLAGS) $(MSGPACK_CFLAGS)
dircflags = $(CFLAGS_$(patsubst %/,%,$(dir $1))) $(if $(filter tests/%,$1),$(CFLAGS_tests))

ALL_CFLAGS = $(BASE) $(FLAGS_$(FLAVOR)) $(CFLAGS)
ALL_LDFLAGS = $(FLAGS_$(FLAVOR)) $(LDFLAGS) -Wl,--as-needed -Wl,--gc-sections
SYSLIBS = $(FUSE_LIBS) $(UV_LIBS) $(MSGPACK_LIBS) $(ROCKS_LIBS) $(SSL_LIBS) -lpthread -lm

# ---- rules --------------------------------------------------------------------------------------

all: $(if $(call sources,tools),$(PROGRAM)) $(LIBS)

TOOL_OBJS := $(call objs,$(call sources,tools))
$(PROGRAM): $(TOOL_OBJS) $(filter-out %/libnwr_tools.a,$(LIBS))
	@echo "  LD    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SYSLIBS)

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) $(call dircflags,$<) -MMD -MP -c -o $@ $<

# The list of members is kept next to the archive: it changes when a file is added or removed,
# and only then is the archive made again for that reason.
define archive_rule
$(O)/lib/libnwr_$(call modname,$1).a: $(call objs,$(call libsrc,$1)) \
                                      $(O)/lib/libnwr_$(call modname,$1).list
ifneq ($$(strip $$(file <$(O)/lib/libnwr_$(call modname,$1).list)),$(strip $(call libsrc,$1)))
.PHONY: $(O)/lib/libnwr_$(call modname,$1).list
endif
$(O)/lib/libnwr_$(call modname,$1).list:
	@mkdir -p $$(@D) && echo '$(call libsrc,$1)' >$$@
endef
$(foreach m,$(MODULES) $(addprefix tests/,$(TESTDIRS)),\
  $(if $(call libsrc,$m),$(eval $(call archive_rule,$m))))

$(O)/lib/%.a:
	@echo "  AR    $@"
	@rm -f $@ && ar rcs $@ $(filter %.o,$^)

TESTSRC  := $(foreach d,unit contract fs sim fuzz,$(sort $(wildcard tests/$d/*_test.c)))
TESTBIN  := $(patsubst %.c,$(O)/%,$(TESTSRC))
SIM      := $(patsubst %.c,$(O)/%,$(wildcard tests/sim/sim.c))
BENCHBIN := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/bench/*.c)))

$(TESTBIN) $(SIM) $(BENCHBIN): $(O)/%: $(O)/%.o $(TESTLIBS) $(LIBS)
	@echo "  LD    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CMOCKA_LIBS) $(SYSLIBS)

# Test programs of one flavor; `make build/release/tests/unit/dvv_test` makes one of them.
tests: $(TESTBIN) $(SIM)
benches: $(BENCHBIN)

.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)

clean:
	rm -rf $(B)/debug* $(B)/release* $(B)/asan* $(B)/tsan* $(B)/cov*

.PHONY: all tests benches clean
