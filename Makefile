# The short commands. Each installs what it needs (scripts/setup); `make` alone lists them.

# More flags for swift, such as SWIFTFLAGS="-Xswiftc -warnings-as-errors".
SWIFTFLAGS ?=
# What the demo says, and more flags for it (--plain, --keep DIR).
SAY ?=
export SAY
DEMOFLAGS ?=
# The default linker, gold, warns a hundred times about the sanitizers' own symbols.
SANITIZE := -Xswiftc -use-ld=lld
ASAN_BUILD = --sanitize=address --scratch-path .build-asan $(SANITIZE) $(SWIFTFLAGS)
TSAN_BUILD = --sanitize=thread --scratch-path .build-tsan $(SANITIZE) $(SWIFTFLAGS)
FAKE_ALSA := .build-fake-alsa
FAKE_GPIO := .build-fake-gpio
# Where the tests find them.
export PUCK_FAKE_ALSA := $(CURDIR)/$(FAKE_ALSA)
export PUCK_FAKE_GPIO_LIBRARY := $(CURDIR)/$(FAKE_GPIO)
# Of the daemons too, which the tests start; what third parties leak at their exit is listed, each with its reason.
ASAN := ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions='$(CURDIR)/Tests/leaks.supp':print_suppressions=0

# Scenarios of Tests/VM/guest/scenarios. Default: empty, which runs all.
SCENARIOS ?=
# Debian releases for `make test-newcomer`: bookworm, trixie. Default: empty, which tests both.
SUITES ?=

.DEFAULT_GOAL := help
.PHONY: help setup build embedded demo test test-all build-asan build-tsan test-asan test-tsan test-mutants test-vm test-cross test-package test-newcomer release test-release pucksim sim fuzz bench bench-arbitration format lint clean fake-alsa fake-gpio docs

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

setup: ## install what building and testing needs
	@scripts/setup build

build: setup ## build everything, optimized
	swift build -c release $(SWIFTFLAGS)

embedded: setup ## build the commands as Embedded Swift, as they ship
	scripts/embedded-build

demo: setup fake-alsa ## pucks and a hub hold a conversation, woken by a wake word; SAY="any sentence" changes what is said
	@scripts/setup demo wake
	@scripts/wakewords
	@scripts/embedded-build puckd puckctl puckhub
	swift build --product puckdemo $(SWIFTFLAGS)
	@.build/debug/puckdemo --bin .build-embedded/release --plugin $(FAKE_ALSA) $${SAY:+--say "$$SAY"} $(DEMOFLAGS)

# The daemons' own tests come after the others: what those compute for seconds would keep them from seeing in time what a
# daemon does.
test: setup fake-alsa fake-gpio ## run all tests
	@scripts/setup wake
	@scripts/wakewords
	PUCK_WAKE_MODELS=$$(scripts/wakewords --path) swift test --disable-xctest $(SWIFTFLAGS) --skip ProcessTests
	PUCK_WAKE_MODELS=$$(scripts/wakewords --path) swift test --disable-xctest --skip-build $(SWIFTFLAGS) --filter ProcessTests

test-all: ## everything that can be tested on this machine: all night, as root
	@.ci/nightly

# Left out: the simulator, which is values only, and what breaks a wire at a point in time and so needs the daemons at
# their own speed; the daemons themselves run here in all the other process tests.
build-asan: setup
	swift build --build-tests --disable-xctest $(ASAN_BUILD)

test-asan: build-asan fake-alsa fake-gpio ## the same with the address and leak sanitizers
	$(ASAN) swift test --disable-xctest $(ASAN_BUILD) --skip-build --skip SimulatorTests --skip ProcessTests
	$(ASAN) swift test --disable-xctest $(ASAN_BUILD) --skip-build \
		--filter ProcessTests --skip 'ProcessTests.*(UplinkCut|AnswerCut|Network|Offline)Tests'

build-tsan: setup
	swift build --build-tests --disable-xctest $(TSAN_BUILD)

test-tsan: build-tsan fake-alsa fake-gpio ## what real threads share, with the thread sanitizer: the ring, and whole daemons
	swift test --disable-xctest $(TSAN_BUILD) --skip-build \
		--filter 'AudioRingTests|PuckRuntimeTests|ProcessTests.*(Conversation|DeviceFault)'

# The simulator is one thread over classes: what the run-time would check at each access is checked by the tests.
# The hub's interpreter is generic over what is outside of it: without optimization across modules it is not specialised.
SIMFLAGS = -Xswiftc -enforce-exclusivity=unchecked -Xswiftc -cross-module-optimization
# The seeds that `make sim` runs.
SEEDS ?= 1-500
pucksim: setup
	swift build -c release --product pucksim --scratch-path .build-sim $(SIMFLAGS) $(SWIFTFLAGS)

sim: pucksim ## five hundred houses of five pucks, half an hour each, under virtual time and with faults
	.build-sim/release/pucksim run --seeds $(SEEDS) --pucks 5 --minutes 30

test-mutants: setup ## deliberate bugs, each of which the simulator has to catch
	@scripts/mutate .build-mutants/tree
	PUCK_MUTATIONS=1 swift build -c release --product pucksim --package-path .build-mutants/tree \
		--scratch-path .build-mutants/build $(SIMFLAGS) $(SWIFTFLAGS)
	.build-mutants/build/release/pucksim mutants

# The two builds know nothing of each other, and each leaves a processor free half the time.
test-vm: setup ## a whole puck on Debian's kernel for ARM, in an emulator, with its sound card, GPIO and network failing; and its packages
	@scripts/setup vm cross
	@mkdir -p .build-vm
	@echo "vm: building puckd and puckhub for arm64; see .build-vm/cross.log"
	@cross/build arm64 bookworm >.build-vm/cross.log 2>&1 & \
		Tests/VM/build; status=$$?; \
		wait $$! || { grep -m 20 'error:' .build-vm/cross.log || tail -n 20 .build-vm/cross.log; exit 1; }; \
		exit $$status
	@Tests/VM/run $(SCENARIOS)
ifeq ($(strip $(SCENARIOS)),)
	@cross/package arm64
	@Tests/VM/run --system
endif

# ARMv7, and beside Debian 12 with libgpiod 1.6 Debian 13 with 2.x; a change is tried with one of them (.ci/run). The builds
# know nothing of each other.
CROSS ?= arm64/bookworm armhf/bookworm arm64/trixie armhf/trixie
test-cross: setup ## what is built for boards, in an emulator: conversations with hubs here and there, commands, GPIO
	@scripts/setup cross
	@mkdir -p .build-cross
	@builds=; for target in $(CROSS); do \
		arch=$${target%/*} suite=$${target#*/} log=.build-cross/$$arch-$$suite.log; \
		echo "cross: building for $$arch, $$suite; see $$log"; \
		{ cross/build $$arch $$suite $$([ $$arch = arm64 ] || echo puckseeds) >$$log 2>&1 || \
			{ grep -m 20 'error:' $$log || tail -n 20 $$log; exit 1; }; } & \
		builds="$$builds $$!"; \
	done; for build in $$builds; do wait $$build || exit 1; done
	@set -e; for target in $(CROSS); do SWIFTFLAGS='$(SWIFTFLAGS)' cross/test $${target%/*} $${target#*/}; done

# As root, ten minutes or so for each Debian.
test-newcomer: setup ## Debian 12 and 13 as new machines: make demo and make test there, from a clone of HEAD
	@scripts/setup package
	@scripts/newcomer $(SUITES)

# As root. Debian itself is fetched the first time, which takes minutes.
test-package: setup ## the packages for this machine: lintian, installed in a new Debian, upgraded, purged
	@scripts/setup package
	cross/build amd64
	cross/package amd64
	lintian --fail-on error cross/out/*_amd64.deb
	cross/install

# RELEASEFLAGS: --key FILE, --unsigned, --targets 'arm64/bookworm ...'; see the head of scripts/release.
RELEASEFLAGS ?=
release: setup ## packages for all boards, a signed apt repository, checksums, bill of materials, notes: in release/
	@scripts/setup release
	@scripts/release $(RELEASEFLAGS)

# As root. With a key that is made for it.
test-release: setup ## a release of this machine's packages, twice and equal to the byte; installed by apt in a new Debian
	@scripts/setup release package
	@scripts/test-release

docs: setup ## API documentation of the core modules, by the toolchain's DocC: .build-docs/Puck.doccarchive
	@SWIFTFLAGS='$(SWIFTFLAGS)' scripts/docs

fuzz: setup ## look for inputs that break parsers and machines, T seconds in all (60)
	scripts/fuzz $(or $(T),60)

bench: setup fake-alsa ## measure, and compare with the peers; PART="puckhub pucksim" measures these only
	@scripts/setup bench $(if $(filter arm,$(or $(PART),arm)),cross vm)
	Benchmarks/test
	Benchmarks/run $(PART:%=--only %)

bench-arbitration: setup ## how often the right puck answers, in simulated rooms (BENCHFLAGS="--houses 40")
	@scripts/setup arbitration
	@Benchmarks/arbitrate $(BENCHFLAGS)

format: setup ## format all Swift sources
	swift format format -i -p -r Sources Tests Fuzz Package.swift

lint: setup ## check format, layers and lengths
	scripts/lint

clean: ## remove everything that was built
	rm -rf .build .build-*

# A sound device that keeps real time without a sound card, for tests and demo.
fake-alsa:
	@if [ -d Tests/Fixtures/FakeALSA ]; then $(MAKE) -s -C Tests/Fixtures/FakeALSA OUT='$(CURDIR)/$(FAKE_ALSA)'; fi

# A libgpiod without hardware, for tests.
fake-gpio:
	@$(MAKE) -s -C Tests/Fixtures/FakeGPIO OUT='$(CURDIR)/$(FAKE_GPIO)'
