# make test   installs what the tests need and is missing, then runs them all
# make lint   formatting, vet, staticcheck, gosec, layering
# make bench  figures beside raw storage and a shell pipeline, in one run
# make ui     builds the pages' script and style sheet again (needs Node 20 or newer)
# make scale  the records team's questions on ten million synthetic items (about 20 GB of disk)
# make failure  everything is killed, cut off and damaged as often as docs/failure.md says (about a quarter of an hour)
# make boot   installs it on a Debian of its own with systemd, as docs/operations.md says, and does the main job there (needs root)
# make screens  the pictures of the pages in docs/screens, anew
# make words  brings the translators' files up to date with what the pages say
# make sbom   what the program and its pages are made of, as CycloneDX, into dist/sbom
# make vuln   asks Go's database of known faults about the modules (needs a network)
# make attack  what attackers do, at length: 100,000 identifier swaps, slow connections, polyglots, scanners
# make fuzz   every fuzz target for FUZZTIME each (default 30s)
BIN := $(or $(WARDSEAL_TEST_BIN),$(HOME)/.cache/wardseal/bin)
FUZZTIME ?= 30s

.PHONY: test lint ui words screens bench scale failure boot attack fuzz peers tools sbom vuln

tools:
	@bash test/install.sh

# What follows the first run is without the race detector: the memory limits of
# derive do not suit it, sanitise walks each file in one goroutine and words the
# code, browser and failure speak to the real program, ten thousand open one link,
# and attack holds the machine's connections. SQLite in Go is C by nature, which
# takes half of the time under the detector and is nothing of ours: its
# translation is compiled without (that package alone: it makes no code that
# others share; the driver around it, which reads and writes our memory, is under
# the detector), and the pointers of the rest are not checked, which -race brings along.
# The longest package comes first, so that the others fill its pauses, and more
# tests run at once than there are cores, since most wait for another process.
# go test need not vet again what lint has vetted.
test: tools
	go run ./test/noskip -- go test -vet=off -race -gcflags='modernc.org/...=-d=checkptr=0' -gcflags='modernc.org/sqlite/lib=-race=false' -p 3 -parallel 3 -timeout 25m \
		./test/e2e $$(go list ./... | grep -v -E '/imaging/(derive|sanitise)$$|/test/(attack|boot|browser|bench|e2e|failure|peers|scale|words)$$')
	go run ./test/noskip -- go test -vet=off -p 3 -parallel 3 -timeout 30m ./test/browser ./test/failure ./imaging/derive ./imaging/sanitise ./test/attack ./test/words
	go run ./test/noskip -- go test -vet=off -run TestSingleUseLink ./test/e2e

# gosec without three rules. G115, conversions of integers: some 200 in the
# readers of files, which check lengths first and are fuzzed. G602, indices
# past the end: it does not see those checks. G304, files by variable names:
# all are named by whoever runs the program; what people upload names none.
# Exceptions to other rules stand in the code, each with its reason. Tests and
# their tools are left out. (It asks go for its version at every package unless told.)
lint: tools
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "gofmt: the files above are not formatted"; exit 1; }
	go vet ./...
	$(BIN)/staticcheck ./...
	GOSECGOVERSION=$$(go env GOVERSION) $(BIN)/gosec -quiet -exclude=G115,G304,G602 ./api/... ./cmd/... ./crypto/... ./imaging/... ./internal/... ./storage/...
	bash -n test/install.sh test/fuzz.sh test/sbom.sh test/screens.sh .ci/run

ui:
	cd api/ui && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm run build

words:
	go run ./test/words

screens: tools
	bash test/screens.sh

bench:
	@bash test/install.sh peers
	go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./test/bench

scale: tools
	ITEMS=$(ITEMS) go test -run '^$$' -bench . -benchtime 1x -timeout 180m ./test/scale

# Of the kills and uploads half are on each pair of database and object store.
failure: tools
	FAILURE=full KILLS=100 UPLOADS=500 DATABASE_KILLS=50 REPLICA_KILLS=30 REPLICA_SECONDS=10 \
		nice go test -count=1 -v -parallel 3 -timeout 30m ./test/failure
	nice go test -count=1 -v -run TestAgeVectors ./crypto/seal

boot: tools
	@bash test/install.sh boot
	go test -count=1 -v -timeout 30m ./test/boot

# Not part of lint: it needs vuln.go.dev, which not every machine reaches.
vuln: tools
	$(BIN)/govulncheck ./...

sbom: tools
	@bash test/sbom.sh $(BIN) dist/sbom

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
