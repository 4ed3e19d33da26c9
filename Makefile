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
MAINS    := tools/nwrfs.c tests/sim/sim.c tests/fs/model_driver.c
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
SSL_CFLAGS     = $(call once,SSL_CFLAGS,pkg-config --cflags openssl)
SSL_LIBS       = $(call once,SSL_LIBS,pkg-config --libs openssl || echo -lssl -lcrypto)
JSON_LIBS      = $(call once,JSON_LIBS,pkg-config --libs jansson || echo -ljansson)
CMOCKA_LIBS    = $(call once,CMOCKA_LIBS,pkg-config --libs cmocka || echo -lcmocka)
ROCKS_LIBS     = -lrocksdb

# A folder sees the headers of its own third-party library only.
CFLAGS_fs/fuse   = $(FUSE_CFLAGS) $(UV_CFLAGS)
CFLAGS_net/uv    = $(UV_CFLAGS)
CFLAGS_net/link  = $(UV_CFLAGS)
CFLAGS_net/tls   = $(SSL_CFLAGS)
CFLAGS_net/wire  = $(MSGPACK_CFLAGS)
CFLAGS_net/store = -DXXH_INLINE_ALL
CFLAGS_tools     = $(FUSE_CFLAGS) $(UV_CFLAGS)
CFLAGS_tests     = $(FUSE_CFLAGS) $(UV_CFLAGS) $(MSGPACK_CFLAGS) $(SSL_CFLAGS)
dircflags = $(CFLAGS_$(patsubst %/,%,$(dir $1))) $(if $(filter tests/%,$1),$(CFLAGS_tests))

ALL_CFLAGS = $(BASE) $(FLAGS_$(FLAVOR)) $(CFLAGS)
ALL_LDFLAGS = $(FLAGS_$(FLAVOR)) $(LDFLAGS) -Wl,--as-needed -Wl,--gc-sections
SYSLIBS = $(FUSE_LIBS) $(UV_LIBS) $(MSGPACK_LIBS) $(ROCKS_LIBS) $(SSL_LIBS) $(JSON_LIBS) \
          -lpthread -lm

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
SIM      := $(patsubst %.c,$(O)/%,$(wildcard tests/sim/sim.c tests/fs/model_driver.c))
BENCHBIN := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/bench/*.c)))

$(TESTBIN) $(SIM) $(BENCHBIN): $(O)/%: $(O)/%.o $(TESTLIBS) $(LIBS)
	@echo "  LD    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CMOCKA_LIBS) $(SYSLIBS)

# Programs of tests/sim, and some of tests/unit, with rules that can be switched off
# (net/core/rules.h): their own build of what keeps the rules. An archive has one file of a name, so
# the two folders have one each.
$(O)/rules/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $< (rules)"
	@$(CC) $(ALL_CFLAGS) $(call dircflags,$<) -DNWR_RULES_SWITCH -MMD -MP -c -o $@ $<

RULELIBS := $(O)/lib/libnwr_rules_store.a $(O)/lib/libnwr_rules_core.a
$(foreach d,core store,$(eval $(O)/lib/libnwr_rules_$d.a: \
  $(patsubst %.c,$(O)/rules/%.o,$(call sources,net/$d))))

RULESRC := $(wildcard tests/sim/*_test.c tests/sim/sim.c) \
           $(addprefix tests/unit/,members_test.c node_test.c register_history_test.c \
                                   ring_test.c) \
           tests/contract/store_mem_test.c
RULEBIN := $(addprefix $(O)/rules/,$(basename $(notdir $(RULESRC))))
$(foreach s,$(RULESRC),$(eval $(O)/rules/$(basename $(notdir $s)): $(O)/$(basename $s).o))
$(RULEBIN): $(RULELIBS) $(addprefix $(O)/lib/libnwr_,tests_sim.a tests_contract.a tests_lib.a \
                                                     fs_core.a net_wire.a base.a)
	@echo "  LD    $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group $(CMOCKA_LIBS) $(SYSLIBS)

# Test programs of one flavor; `make build/release/tests/unit/dvv_test` makes one of them.
tests: $(TESTBIN) $(SIM)
rules: $(RULEBIN)
benches: $(BENCHBIN)

.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)

# ---- for people ---------------------------------------------------------------------------------

DEPS := gcc make pkg-config libfuse3-dev fuse3 libuv1-dev libmsgpack-dev libcmocka-dev \
        librocksdb-dev libssl-dev libxxhash-dev libjansson-dev clang-format python3 rsync git \
        sqlite3 iproute2 nftables procps jq attr acl util-linux diffutils tar openssl
DEPS_ALL := $(DEPS) clang clang-tidy

# install_packages NAMES -- only what is missing; a second run needs neither root nor network.
define install_packages
@missing=; for p in $1; do \
    dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || \
    missing="$$missing $$p"; done; \
if [ -z "$$missing" ]; then exit 0; fi; \
if [ "$$(id -u)" != 0 ]; then \
    echo "nwrfs: missing packages; as root: apt-get install$$missing" >&2; exit 1; fi; \
echo "installing:$$missing"; export DEBIAN_FRONTEND=noninteractive; \
apt-get install -y --no-install-recommends $$missing >/dev/null 2>&1 || { \
    apt-get update && apt-get install -y --no-install-recommends $$missing; }
endef

deps:
	$(call install_packages,$(DEPS))

deps-all:
	$(call install_packages,$(DEPS_ALL))

export B CC JOBS
# Inside a parallel make the job server of the outer one is used.
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

test: deps
	@tests/run test

test-all: deps-all
	@tests/run test-all

# SEEDS=n runs seeds 1 to n; SEED=s replays one.
sim: deps
	@$(SUBMAKE) FLAVOR=$(FLAVOR) tests
	$(O)/tests/sim/sim $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1000) --jobs $(JOBS))

soak: deps
	@NWR_SOAK=$(or $(SECONDS),3600) tests/run $(FLAVOR):build $(FLAVOR):soak

bench: deps
	@$(SUBMAKE) FLAVOR=$(FLAVOR) all benches
	@for b in $(BENCHBIN) $(wildcard tests/bench/*.sh); do \
	    echo "== $$b"; NWRFS=$(PROGRAM) $$b || exit 1; done

demo: deps
	@$(SUBMAKE) all
	@NWRFS=$(abspath $(PROGRAM)) tools/demo.sh

demo-stop:
	@NWRFS=$(abspath $(PROGRAM)) tools/demo.sh stop

CODE = $(sort $(shell find fs net include tests tools -name '*.[ch]' 2>/dev/null))

format:
	@$(if $(CODE),clang-format -i $(CODE))

format-check:
	@$(if $(CODE),clang-format --dry-run -Werror $(CODE))

tidy:
	@tools/tidy.sh

# One file a run: version 14 takes a va_list for uninitialised once it has read another file.
clang-tidy:
	@printf '%s\n' $(filter-out tests/%,$(filter %.c,$(CODE))) | xargs -P $(JOBS) -I{} \
	    clang-tidy --quiet {} -- \
	    $(filter-out -Wno-maybe-uninitialized,$(BASE)) $(FUSE_CFLAGS) -DXXH_INLINE_ALL

pure:
	@$(SUBMAKE) FLAVOR=release CC=$(CC) all >/dev/null
	@tools/pure.sh $(B)/release$(if $(filter clang,$(COMPILER)),-clang)/lib

install: all
	install -D -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/nwrfs
	$(if $(wildcard tools/mount.nwrfs),install -D -m 0755 tools/mount.nwrfs \
	    $(DESTDIR)/sbin/mount.nwrfs)
	$(if $(wildcard tools/nwrfs.1),install -D -m 0644 tools/nwrfs.1 \
	    $(DESTDIR)$(PREFIX)/share/man/man1/nwrfs.1)

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/nwrfs $(DESTDIR)/sbin/mount.nwrfs \
	    $(DESTDIR)$(PREFIX)/share/man/man1/nwrfs.1

clean:
	rm -rf $(foreach f,debug release asan tsan cov,$(B)/$f $(B)/$f-clang)

help:
	@echo 'make               the program: $(B)/release/nwrfs'
	@echo 'make deps          Debian packages that are missing (root)'
	@echo 'make test          everything in release, sanitizers on the parts; about 15 minutes'
	@echo 'make test-all      also thread sanitizer, clang, long applications'
	@echo 'make sim           the simulator; SEEDS=n many, SEED=s replays one'
	@echo 'make soak          the simulator over new seeds; SECONDS=n'
	@echo 'make demo          three peers, two mounts, a conflict; stays up until make demo-stop'
	@echo 'make bench         ratios against a plain directory'
	@echo 'make format        clang-format in place; format-check only looks'
	@echo 'make tidy          house rules; clang-tidy runs the analyser'
	@echo 'make pure          shows that the cores touch no I/O'
	@echo 'make install       to PREFIX=$(PREFIX), with DESTDIR; uninstall removes it'
	@echo 'make clean         removes the flavors in $(B)/'
	@echo 'Any of them with FLAVOR=debug|release|asan|tsan|cov CC=gcc|clang B=build'
	@echo 'One suite or test: tests/run release:unit  tests/run asan:unit/dvv_test'

.PHONY: all tests rules benches deps deps-all test test-all sim soak bench demo demo-stop format \
        format-check tidy clang-tidy pure install uninstall clean help
