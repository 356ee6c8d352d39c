# make test   installs what the tests need and is missing, then runs them all
# make lint   formatting, vet, staticcheck, layering
# make bench  figures beside raw storage and a shell pipeline, in one run
# make ui     builds the pages' script and style sheet again (needs Node 20 or newer)
# make scale  the records team's questions on ten million synthetic items (about 20 GB of disk)
# make attack  what attackers do, at length: 100,000 identifier swaps, slow connections, polyglots, scanners
# make fuzz   every fuzz target for FUZZTIME each (default 30s)
BIN := $(or $(WARDSEAL_TEST_BIN),$(HOME)/.cache/wardseal/bin)
FUZZTIME ?= 30s

.PHONY: test lint ui bench scale attack fuzz peers tools

tools:
	@bash test/install.sh

# What follows the first run is without the race detector: the memory limits of
# derive do not suit it, sanitise walks each file in one goroutine, browser
# speaks to the real program, ten thousand open one link, and attack
# holds the machine's connections.
test: tools
	go run ./test/noskip -- go test -race -p 3 -timeout 20m $$(go list ./... | grep -v -E '/imaging/(derive|sanitise)$$|/test/(attack|browser|bench|peers|scale)$$')
	go run ./test/noskip -- go test -p 3 -timeout 30m ./imaging/derive ./imaging/sanitise ./test/browser ./test/attack
	go run ./test/noskip -- go test -run TestSingleUseLink ./test/e2e

lint: tools
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "gofmt: the files above are not formatted"; exit 1; }
	go vet ./...
	$(BIN)/staticcheck ./...
	bash -n test/install.sh test/fuzz.sh .ci/run

ui:
	cd api/ui && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm run build

bench:
	@bash test/install.sh peers
	go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./test/bench

scale: tools
	ITEMS=$(ITEMS) go test -run '^$$' -bench . -benchtime 1x -timeout 180m ./test/scale

# See docs/attack.md. The figures are in what it says.
attack: tools
	@bash test/install.sh attack
	SWAPS=100000 go test -v -count 1 -timeout 60m -run 'Identifier|Headers|EveryRoute|Guessing' ./test/e2e
	DRIBBLERS=1000 POLYGLOTS=50 go test -v -count 1 -p 1 -parallel 1 -timeout 60m -tags attack ./test/attack

fuzz: tools
	@bash test/fuzz.sh $(FUZZTIME)

# The table of docs/sanitising.md, from a corpus of real files and its oracles.
peers:
	@bash test/install.sh peers
	go run ./test/peers -summary docs/sanitising.md -files docs/sanitising-peers.md
