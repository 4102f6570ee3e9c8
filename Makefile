# Two commands: `make demo` shows the whole thing on this machine, `make test` runs every test.
# Everything else is named in README.md.

CARGO ?= cargo
# One profile for the product, the demo and the tests: a new machine builds once.
BUILD := $(CARGO) build --release --locked
BIN := target/release

.PHONY: demo test soak fuzz lint eval bench bench-outage prepare models build clips fmt

demo: prepare clips
	$(BIN)/vong-demo $(if $(ONCE),--once)

test: prepare clips
	@if command -v cargo-nextest >/dev/null 2>&1; then \
	  $(CARGO) nextest run --release --locked --workspace --no-fail-fast && $(CARGO) test --release --locked --workspace --doc; \
	else \
	  $(CARGO) test --release --locked --workspace --no-fail-fast; \
	fi
	tests/web/run.sh

# Debian packages that are missing: ffmpeg for cameras and clips, a browser for the page's tests, a free font for plates.
prepare:
	@deploy/prepare-debian.sh

# Everything at once: one crate alone would take other features of its dependencies, and build them twice.
build:
	$(BUILD) --workspace --bins

models: build
	$(BIN)/vong-models fetch

clips: models
	$(BIN)/vong-sample-video compose --out sample-video/clips

eval: prepare models
	$(BIN)/vong-accuracy $(if $(DATA),--data $(DATA)) $(if $(MODELS),--models $(MODELS))

# A day of outage of 50 edges, drained through a real Mosquitto into a real PostgreSQL. Takes minutes; no test.
bench-outage: prepare build
	$(BIN)/vong-bench-outage

# Beside the peers of PEERS (../shared/peers), with the Python of PYTHON; several rounds, some minutes.
bench: prepare models
	deploy/bench.sh

# Kills edge, central and broker 200 times; prints what was lost and doubled, and the seed.
soak: prepare build
	$(BIN)/vong-soak $(SOAK)

# Ten million changed inputs to everything that parses; a short run is part of `make test`.
fuzz: build
	$(BIN)/vong-fuzz $(FUZZ)

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	@ls /usr/lib/llvm*/lib/libclang.so* >/dev/null 2>&1 || \
	  echo "lint: USB cameras are not checked; that needs Debian's libclang-dev"
	@! ls /usr/lib/llvm*/lib/libclang.so* >/dev/null 2>&1 || \
	  $(CARGO) clippy --release --locked -p vong-edge --features usb --target-dir target/usb -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps
	@command -v cargo-deny >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --locked check licenses bans sources
	@$(CARGO) deny check advisories || echo "advisories: the database could not be read or names a crate of ours; see above"

fmt:
	$(CARGO) fmt --all
