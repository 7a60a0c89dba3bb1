# arrow v15's assembly clobbers the frame pointer: every build is without it.
GO      := go
TAGS    := -tags noasm
PACKAGES := iproute2 nftables ethtool tcpdump tshark zmap masscan nmap fonts-liberation

.PHONY: build setup demo test check bench bench-replay bench-analysis readers matrix memory clean fleet peers corpus accuracy tshark page latex judge-estimate coverage sample captures hostile

build: ## bin/laserdisc
	$(GO) build $(TAGS) -buildvcs=auto -o bin/laserdisc ./cmd/laserdisc

setup: ## what the tests and benchmarks judge by: Debian packages, Go modules
	@for tool in tshark zmap masscan nmap tcpdump nft ip ethtool; do command -v $$tool >/dev/null || missing=1; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then echo "run once as root: make setup (apt-get install $(PACKAGES))" >&2; exit 1; fi; \
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(PACKAGES)
	$(GO) mod download

demo: build ## the main job, end to end, into out/demo
	rm -rf out/demo
	bin/laserdisc demo --out out/demo

test: setup build ## every test, on real wires between network namespaces
	$(GO) test $(TAGS) -timeout 15m ./...
	@cat out/absent.txt 2>/dev/null || true # real servers that were not there to be scanned

check: ## what keeps the code as it should be: format, vet, staticcheck, import direction, go.mod
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet $(TAGS) ./...
	$(GO) tool staticcheck $(TAGS) ./...
	.ci/imports
	$(GO) mod tidy -diff

# Smaller than the demo's scans, and over a link in memory. datasets/sample/README.md says what is in there.
SAMPLE := datasets/sample
LAB    := 198.18.0.0/15 --open 198.18.0.0/15 --lab paper-shape --seed 1 --rate 100000 --timeout 2s --compress zstd
sample: ## datasets/sample, recorded anew: the lab's; and real servers', if SESSION=session.pcap.zst is given
	rm -rf $(SAMPLE)/ports $(SAMPLE)/all
	$(GO) run $(TAGS) ./cmd/laserdisc lab --asn $(SAMPLE)/ases.txt
	$(GO) run $(TAGS) ./cmd/laserdisc scan $(LAB) --out $(SAMPLE)/ports --ports paper --sample 0.15% --sample-by host \
	  --all-handshakes --random-order --followup 0s,1s,5s --ephemeral-probes 2 --handshakes wait,newlines,tls,tls12,tls-legacy,http,http-options,dns,pptp,pptp-badcookie,oracle,redis,postgres,mqtt,smb,rdp,mssql,mongodb,modbus,siemens,ipmi,memcached
	$(GO) run $(TAGS) ./cmd/laserdisc scan $(LAB) --out $(SAMPLE)/all --ports all --sample 0.0004%
	if [ -n "$(SESSION)" ]; then $(GO) test $(TAGS) -count 1 ./cmd/laserdisc -run 'TestCutServers$$' -session $(abspath $(SESSION)); fi
	du -ah $(SAMPLE)

bench: setup ## laserdisc beside zmap and masscan, on a veth pair; playback; classification
	$(GO) test $(TAGS) -run '^$$' -bench . -benchtime 3x ./cmd/laserdisc ./cmd/laserdisc/judge
	$(GO) test $(TAGS) -run '^$$' -bench . ./capture/handshake ./capture/packet ./capture/record ./replay

# Root, for tcpdump wants to be another user. Records that are there are not made again; at scale 1 they take 5 GB of disk.
BENCH_DIR   := out/bench-replay
BENCH_SCALE := 1
bench-replay: setup ## playback with its tables beside tcpdump, gopacket, tshark and dd, on one core and on two, and its targets
	$(GO) test $(TAGS) -timeout 60m -count 1 -run '^$$' -bench 'Replay$$' -benchtime 1x ./cmd/laserdisc/judge \
	  -replay $(abspath $(BENCH_DIR)) -replay-scale $(BENCH_SCALE)
	@cat $(BENCH_DIR)/table.md

readers: setup ## DuckDB, hyparquet and apache-arrow from npm, polars and pyarrow from PyPI read datasets of one part and of many
	npm install --silent --prefix out/readers @duckdb/node-api hyparquet hyparquet-compressors parquet-wasm apache-arrow
	python3 -m venv out/readers/python && out/readers/python/bin/pip install -q polars pyarrow
	$(GO) test $(TAGS) -count 1 ./analysis -run TestJudge -judge $(CURDIR)/out/readers/datasets
	node analysis/testdata/judge.mjs out/readers out/readers/datasets
	out/readers/python/bin/python analysis/testdata/judge.py out/readers/datasets

bench-analysis: setup ## a report of 10 million attempts on one core, beside DuckDB grouping the same in SQL on one thread
	npm install --silent --prefix out/readers @duckdb/node-api
	$(GO) test $(TAGS) -timeout 20m -count 1 -run 'TestReportDataset$$' ./cmd/laserdisc/judge -report $(CURDIR)/out/bench-analysis
	$(GO) test $(TAGS) -timeout 20m -count 1 -run '^$$' -bench 'Report$$' -benchtime 3x ./cmd/laserdisc/judge \
	  -report $(CURDIR)/out/bench-analysis -duckdb $(CURDIR)/out/readers

matrix: ## 2,000 lossy scans, each in many chunks, played back by 1 to 8 workers with little memory and a lot: one digest
	TMPDIR=$(wildcard /dev/shm) $(GO) test $(TAGS) -timeout 60m -count 1 -run 'TestMatrix$$' ./replay -matrix 2000

memory: ## what replay takes with --memory 256MiB, over 1.5 and 6 million packets, played back and observed
	$(GO) test $(TAGS) -timeout 20m -count 1 -v -run 'TestReplayMemory$$' ./cmd/laserdisc -memory

hostile: ## the table of docs/security.md: what hosts that attack whoever scans them cost a scan
	$(GO) test $(TAGS) -timeout 10m -count 1 -v -run 'TestHostile$$' ./capture

clean:
	rm -rf bin out

fleet: setup build ## Debian's own servers, each scanned with every handshake; their record goes into out/fleet
	.ci/fleet
	$(GO) test $(TAGS) -timeout 15m -count 1 -v -run 'TestFleet$$' ./cmd/laserdisc/judge -fleet $(CURDIR)/out/fleet

peers: setup build ## beside LZR and ZGrab2, which Debian does not have: LZR=path ZGRAB2=path; make fleet first
	$(GO) test $(TAGS) -timeout 20m -count 1 -v -run 'TestZGrabReads|TestLZRFindsTheSame|TestForeignScanners/(lzr|zgrab2)' -bench LZR -benchtime 1x ./cmd/laserdisc/judge \
	  -zgrab2 '$(abspath $(ZGRAB2))' -lzr '$(abspath $(LZR))'

# What each service of a corpus speaks, and what it was labelled: FILE=responses.jsonl
FILE ?= $(firstword $(wildcard ../shared/fleet/responses.jsonl) capture/handshake/testdata/fleet.jsonl)
corpus: ## precision and recall of the labels over FILE, per protocol; fails on a wrong one
	$(GO) test $(TAGS) -count 1 -v -run 'TestCorpus$$' ./cmd/laserdisc/judge -corpus $(abspath $(FILE))

accuracy: ## the tables of docs/accuracy.md: precision and recall over the fleet and the lab
	$(GO) test $(TAGS) -count 1 -v -run 'TestCorpus$$|TestLabAccuracy$$' ./cmd/laserdisc/judge

tshark: setup ## tshark as a judge: its protocol for the streams of a recorded scan of the lab, and of the fleet's session
	$(GO) test $(TAGS) -count 1 -v -run 'TestTshark$$' ./cmd/laserdisc/judge
	for f in $(wildcard ../shared/fleet/session.pcap.zst); do \
	  $(GO) test $(TAGS) -count 1 -v -run 'TestTshark$$' ./cmd/laserdisc/judge -pcap $(CURDIR)/$$f || exit 1; done

# Captures are other people's: they are fetched, and never committed.
CAPTURES := out/captures
captures: setup ## nDPI's test captures: every connection that tshark sees answered is found; labels beside nDPI's and tshark's
	@test -d $(CAPTURES)/nDPI || { git clone -q --depth 1 --filter=blob:none --sparse https://github.com/ntop/nDPI $(CAPTURES)/nDPI && \
	  git -C $(CAPTURES)/nDPI sparse-checkout set tests/cfgs/default/pcap tests/cfgs/default/result; }
	$(GO) test $(TAGS) -timeout 60m -count 1 -v -run 'TestCaptures$$' ./cmd/laserdisc/judge -captures $(CURDIR)/$(CAPTURES)/nDPI/tests/cfgs/default/pcap

page: ## a report's page in headless Chromium, sorted, filtered, narrow, dark, printed; pictures of it go into out/page
	@command -v chromium >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium; }
	npm install --silent --prefix out/readers @duckdb/node-api
	rm -rf out/page && mkdir -p out/page
	$(GO) test $(TAGS) -timeout 10m -count 1 -v -run 'TestPage$$' ./cmd/laserdisc/judge -chromium chromium -page $(CURDIR)/out/page -duckdb $(CURDIR)/out/readers

latex: ## pdflatex sets every figure and table of a report; the pages go into out/latex
	@command -v pdflatex >/dev/null && command -v pdftoppm >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -qy --no-install-recommends texlive-latex-base texlive-latex-recommended poppler-utils; }
	rm -rf out/latex && mkdir -p out/latex
	$(GO) test $(TAGS) -timeout 10m -count 1 -v -run 'TestLaTeX$$' ./cmd/laserdisc/judge -latex $(CURDIR)/out/latex
	pdftoppm -r 80 -png out/latex/report/paper.pdf out/latex/page

coverage: ## how often the intervals that a report prints hold the truth: 300 samples of the lab, each scanned, played back and drawn
	$(GO) test $(TAGS) -timeout 60m -count 1 -v -run 'TestCoverage$$' ./cmd/laserdisc -coverage 300

JUDGE := analysis/estimate/testdata
judge-estimate: ## SciPy, statsmodels, diptest, from PyPI, and R, if installed, recompute what the tests of analysis/estimate expect
	python3 -m venv out/judge-estimate
	out/judge-estimate/bin/pip install --quiet scipy==1.17.1 statsmodels==0.15.0 diptest==0.12.0
	out/judge-estimate/bin/python $(JUDGE)/judge.py $(JUDGE)/cases.json
	@if command -v Rscript >/dev/null; then Rscript $(JUDGE)/judge.R $(JUDGE); \
	else echo "no R to recompute the surveys: apt-get install r-base-core r-cran-survey"; fi
