# Everything a contributor runs. `make` alone shows what there is.
#
# Tools and the local cluster's programs are built from source into .local/bin and kept there: each again only when its
# own module changes. A control plane takes minutes the first time; later builds take seconds.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .local/bin
SOURCES := $(shell find . \( -name '*.go' -o -path './ui/*' -type f \) -not -path './.local/*' -not -path './headlamp/*' -not -path './ui/editor/*' -not -path './hack/tools/*' -not -path './hack/localcluster/*' 2>/dev/null)
# The modules of this repository, each with dependencies of its own.
MODULES := . hack/localcluster hack/tools hack/tools/lint hack/tools/helm3 hack/tools/helm4 hack/tools/argohealth hack/tools/sbom

# The version that builds and images get, and the commit that they are built from.
VERSION ?= $(shell hack/version.sh)
REVISION ?= $(or $(shell git rev-parse HEAD 2>/dev/null),unknown)
CREATED ?= $(or $(shell git log -1 --format=%cI 2>/dev/null),1970-01-01T00:00:00Z)
# Once, so that the programs and the image of one run agree.
VERSION := $(VERSION)
REVISION := $(REVISION)
CREATED := $(CREATED)

KUBERNETES := 1.37.2
STAMP := k8s.io/component-base/version

# All builds use these flags, so that programs, tools and tests take the packages that they share from the build cache.
# Only the race detector needs cgo, and compiles every package again. DWARF takes a sixth of the time of the compiler,
# and the linker drops it from stripped programs and from tests.
BUILD_FLAGS := -trimpath -gcflags=all=-dwarf=false
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(filter-out $(BUILD_FLAGS),$(shell go env GOFLAGS)) $(BUILD_FLAGS))
# A build uses all processors. Two builds at the same time would compile the packages that they share twice.
.NOTPARALLEL:

TEST_TIMEOUT ?= 45m
# Folder of real charts that some tests read; they say so and are skipped without it.
export MARKET_CATALOG
# Folder of Helm repositories whose charts are compared with `helm template`. Defaults
# to shared/plain beside the checkout.
export MARKET_PLAIN

.PHONY: help
help: ## Show this.
	@awk 'BEGIN {FS = ":.*## "; print "make TARGET:"} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Passed on to hack/dev.sh and hack/e2e.sh.
export CLUSTER CATALOG IMAGE_LAYOUT FOCUS
CLUSTER_PROGRAM = $(if $(filter current,$(CLUSTER)),,$(BIN)/localcluster)

##@ Run

.PHONY: run
run: bin/appmarket bin/samplemarket $(CLUSTER_PROGRAM) ## Run a market in the foreground: cluster, operator, samples. Ctrl-C stops it all.
	@hack/dev.sh run

.PHONY: up
up: bin/appmarket bin/samplemarket $(CLUSTER_PROGRAM) ## The same in the background. CATALOG=dir adds the charts of a folder, CLUSTER=current uses the present kubeconfig.
	@hack/dev.sh up

.PHONY: pages
pages: bin/appmarket ## Start the web pages of run or up again, and print a new sign-in link.
	@hack/dev.sh pages

.PHONY: down
down: ## Stop what run or up started, and remove its state.
	@hack/dev.sh down

.PHONY: hydrate
hydrate: ## Hydrate one chart without a cluster and show each step: CHART=path [VALUES=file] [PROFILE=Olares].
	@test -n "$(CHART)" || { echo "say which chart: make hydrate CHART=path [VALUES=file] [PROFILE=Olares]"; exit 2; }
	@go run ./cmd/kubectl-market hydrate $(if $(PROFILE),--profile "$(PROFILE)") $(if $(VALUES),--values "$(VALUES)") "$(CHART)"

##@ Change

.PHONY: generate
generate: $(BIN)/controller-gen ## Generate Go code from the API types.
	$(BIN)/controller-gen object paths=./api/...

.PHONY: manifests
manifests: $(BIN)/controller-gen ## Generate CRDs and RBAC rules from the markers in Go code.
	$(BIN)/controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	$(BIN)/controller-gen rbac:roleName=appmarket paths='.;./controllers/...;./internal/...' output:rbac:dir=config/rbac
	@mkdir -p charts/appmarket/crds charts/appmarket/files
	cp config/crd/bases/*.yaml charts/appmarket/crds/
	cp config/rbac/role.yaml charts/appmarket/files/role.yaml
	cp LICENSE charts/appmarket/LICENSE

.PHONY: docs
docs: $(BIN)/crd-ref-docs ## Generate the API reference.
	@mkdir -p docs/api
	$(BIN)/crd-ref-docs --source-path=api/v1alpha1 --config=hack/tools/crd-ref-docs.yaml --renderer=markdown \
	  --output-path=docs/api/README.md --log-level=WARN

.PHONY: fmt
fmt: $(BIN)/golangci-lint ## Format Go code.
	$(BIN)/golangci-lint fmt ./...
	gofmt -w hack/localcluster hack/tools

.PHONY: tidy
tidy: ## Tidy every module.
	for m in $(MODULES); do go -C $$m mod tidy; done

##@ Check

# How many processes run the specs that use an operator on a cluster with simulated nodes; the operator is built
# without the race detector. Each process of the stories has a cluster of its own; those of
# integration and those of hostile share one.
STORY_PROCS ?= 2
INTEGRATION_PROCS ?= 4
HOSTILE_PROCS ?= 4
TEST_ENV = KUBEBUILDER_ASSETS=$(CURDIR)/$(BIN) HELM3=$(CURDIR)/$(BIN)/helm3 HELM4=$(CURDIR)/$(BIN)/helm4
REPORTS := $(CURDIR)/.local/reports
# compress/flate takes 10 to 30 times as long with the race detector, which made tests of large release records take
# minutes, and shares nothing between goroutines. Kustomize supports Go plugins unless the tag disables them: with cgo, the
# linker then keeps every exported function and leaves the end of its work to that of C.
RACE := -race -gcflags=compress/flate=-race=false -tags kustomize_disable_go_plugin_support
# Runs go test with arguments and saves its events: $(call gotest,NAME,FOLDER,ARGUMENTS). Without vet, which make lint
# runs: it checks the types of all dependencies, again for each set of flags.
gotest = go -C $(2) test -json -vet=off -timeout $(TEST_TIMEOUT) $(3) | $(BIN)/testreport -save $(REPORTS)/$(1).json
# Runs the specs of a package in parallel processes: $(call specs,NAME,PROCESSES).
specs = { $(BIN)/ginkgo run --vet off --procs $(2) --timeout $(TEST_TIMEOUT) --no-color --succinct --output-interceptor-mode none \
	  --gojson-report $(1).json --output-dir $(REPORTS) ./test/$(1) || code=$$?; \
	  $(BIN)/testreport $(REPORTS)/$(1).json || echo "FAIL	test/$(1)"; }

.PHONY: test
test: assets helm $(BIN)/ginkgo $(BIN)/testreport ## Run every test that needs no root. MARKET_CATALOG=dir adds those on real charts.
	@code=0; rm -rf $(REPORTS); mkdir -p $(REPORTS); export $(TEST_ENV); \
	CGO_ENABLED=1 $(call gotest,unit,.,$(RACE) $$(go list ./... | grep -v /operator/test/)) || code=$$?; \
	$(call gotest,test,.,$$(go list ./test/... | grep -vE '/test/(integration|story|hostile)$$')) || code=$$?; \
	$(call gotest,faults,.,-tags faults -run 'Point|InvalidVariables|KilledAtEachPoint' ./internal/failpoint ./internal/helm/...) || code=$$?; \
	$(call gotest,localcluster,hack/localcluster,./...) || code=$$?; \
	$(call gotest,argohealth,hack/tools/argohealth,./...) || code=$$?; \
	$(call specs,integration,$(INTEGRATION_PROCS)); \
	$(call specs,story,$(STORY_PROCS)); \
	$(call specs,hostile,$(HOSTILE_PROCS)); \
	cat $(REPORTS)/*.txt 2>/dev/null || true; \
	$(BIN)/testreport -slowest 10 $(REPORTS)/*.json || code=$$?; \
	exit $$code

.PHONY: test-browser
test-browser: assets ## Test the web pages in Chromium. Needs Node.js and Chromium. SCREENSHOTS=dir saves pictures of all pages.
	npm ci --prefix test/browser --no-audit --no-fund --loglevel=error
	$(MAKE) --no-print-directory editor
	git diff --exit-code -- ui/assets/dist/editor.min.js
	$(TEST_ENV) BROWSER_TESTS=1 $(if $(SCREENSHOTS),SCREENSHOTS=$(abspath $(SCREENSHOTS))) go test -count=1 -timeout $(TEST_TIMEOUT) -run '^TestBrowser$$' ./ui/pages

.PHONY: test-headlamp-plugin
test-headlamp-plugin: headlamp/node_modules ## Check the types, lint and test the plugin for Headlamp. Needs Node.js.
	npm run tsc --prefix headlamp
	npm run lint --prefix headlamp
	CI=true npm test --prefix headlamp

.PHONY: env
env: ## Print the environment of the tests. To run them with go test: eval "$(make -s env)".
	@echo 'export CGO_ENABLED=$(CGO_ENABLED) GOFLAGS="$(GOFLAGS)" $(TEST_ENV)'

.PHONY: e2e
e2e: $(BIN)/localcluster-node $(BIN)/helm3 ## Run the operator's image on a node that runs containers. Needs root and Debian. IMAGE_LAYOUT=dir takes one that is built.
	@hack/e2e.sh

.PHONY: test-catalog
test-catalog: assets helm $(BIN)/ginkgo $(BIN)/testreport ## Run the lives of all real charts in MARKET_CATALOG=dir; make test takes each eighth.
	@test -n "$(MARKET_CATALOG)" || { echo "say which charts: make test-catalog MARKET_CATALOG=dir"; exit 2; }
	@code=0; mkdir -p $(REPORTS); export $(TEST_ENV) MARKET_CATALOG_WHOLE=true; \
	go test -timeout $(TEST_TIMEOUT) -run CatalogDoesNotDrift ./internal/helm/drift || code=$$?; \
	$(BIN)/ginkgo run --timeout $(TEST_TIMEOUT) --no-color --focus 'A catalog of real apps' ./test/story || code=$$?; \
	cat $(REPORTS)/*.txt 2>/dev/null || true; \
	exit $$code

VET := -vettool=$(CURDIR)/hack/vet.sh

.PHONY: lint
lint: $(BIN)/golangci-lint ## Lint.
	$(BIN)/golangci-lint run --timeout 30m ./...
	go vet $(VET) -tags faults,e2e ./internal/failpoint ./internal/helm/... ./test/e2e
	go -C hack/localcluster vet $(VET) ./...
	go -C hack/tools/argohealth vet $(VET) ./...

.PHONY: verify
verify: ## Check that generated files, formatting and modules are current, and lint.
	@hack/verify.sh
	@$(MAKE) --no-print-directory lint

.PHONY: bench
bench: assets $(BIN)/helm3 ## Measure: figure, budget, reference.
	KUBEBUILDER_ASSETS=$(CURDIR)/$(BIN) HELM3=$(CURDIR)/$(BIN)/helm3 go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./test/bench/...

.PHONY: fuzz
fuzz: ## Run every fuzz target for a while: FUZZTIME=1m.
	@hack/fuzz.sh

##@ Build

.PHONY: build
build: bin/appmarket ## Build the operator.

# Programs are stripped, and have no record of the checkout, which differs between a clone and a worktree of one commit.
# Together with -trimpath and without cgo, every machine makes the same bytes. $(call program_flags,VERSION) also sets
# the version of the operator, and $(call program_flags,VERSION,VARIABLE) that of another program.
program_flags = -buildvcs=false -ldflags="-s -w $(if $(1),-X $(or $(2),github.com/appmarket/operator/internal/app.buildVersion)=$(1))"

bin/appmarket: $(SOURCES) go.mod go.sum
	@echo "building the operator; the first time this takes some minutes"
	@hack/build.sh . $@ $(call program_flags,$(VERSION)) .

.PHONY: plugin
plugin: bin/kubectl-market ## Build the kubectl plugin. With bin in PATH it is run as kubectl market.

bin/kubectl-market: $(SOURCES) go.mod go.sum
	@hack/build.sh . $@ $(call program_flags,$(VERSION),main.buildVersion) ./cmd/kubectl-market

.PHONY: editor
editor: ## Bundle the editor for values, which the web pages contain. Needs Node.js.
	npm ci --prefix ui/editor --no-audit --no-fund --loglevel=error --ignore-scripts
	npm run --silent build --prefix ui/editor

.PHONY: headlamp-plugin
headlamp-plugin: headlamp/node_modules ## Build the plugin for Headlamp: headlamp/dist. Needs Node.js.
	npm run build --prefix headlamp
	cp headlamp/package.json headlamp/dist/

headlamp/node_modules: headlamp/package.json headlamp/package-lock.json
	npm ci --prefix headlamp --no-audit --no-fund --loglevel=error
	@touch $@

bin/samplemarket: $(SOURCES) go.mod go.sum
	@hack/build.sh . $@ $(program_flags) ./hack/samplemarket

.PHONY: assets
assets: $(BIN)/localcluster ## Build the control plane and link its programs: a folder for KUBEBUILDER_ASSETS.
	@$(BIN)/localcluster assets $(BIN)

# The same with the programs of a node that runs containers.
$(BIN)/localcluster-node: LOCALCLUSTER_TAGS := -tags node
$(BIN)/localcluster $(BIN)/localcluster-node: $(filter-out %_test.go,$(wildcard hack/localcluster/*.go)) $(wildcard hack/localcluster/*.yaml) hack/localcluster/go.mod hack/localcluster/go.sum
	@echo "building a Kubernetes v$(KUBERNETES) control plane from source; the first time this takes some minutes"
	@hack/build.sh hack/localcluster $@ $(LOCALCLUSTER_TAGS) -buildvcs=false -ldflags="-s -w \
	  -X $(STAMP).gitVersion=v$(KUBERNETES) \
	  -X $(STAMP).gitMajor=$(word 1,$(subst ., ,$(KUBERNETES))) \
	  -X $(STAMP).gitMinor=$(word 2,$(subst ., ,$(KUBERNETES)))" .

##@ Ship

# The platforms of images, and the sizes that they may have: of a program in MB, of an image, compressed, in MiB.
comma := ,
PLATFORMS ?= linux/amd64 linux/arm64
ARCHITECTURES = $(notdir $(subst $(comma), ,$(PLATFORMS)))
MAX_PROGRAM_MB := 95
MAX_IMAGE_MIB := 30

.PHONY: image
image: $(foreach a,$(ARCHITECTURES),dist/appmarket-linux-$(a) dist/sbom-linux-$(a).cdx.json) ## Build the image: dist/image. PUSH=registry/name[:tag] also pushes it, VERSION=, PLATFORMS=linux/amd64 narrow it.
	go run ./hack/image build --output dist/image --version "$(VERSION)" --revision "$(REVISION)" --created "$(CREATED)" \
	  --max-mib $(MAX_IMAGE_MIB) $(foreach a,$(ARCHITECTURES),--sbom linux/$(a)=dist/sbom-linux-$(a).cdx.json) \
	  $(foreach a,$(ARCHITECTURES),linux/$(a)=dist/appmarket-linux-$(a))
	$(if $(PUSH),go run ./hack/image push dist/image "$(PUSH)")

.PHONY: chart
chart: ## Write the chart with the image of dist/image, install.yaml, crds.yaml and samples.yaml to dist.
	go run ./hack/release manifests --layout dist/image --output dist $(if $(IMAGE),--image "$(IMAGE)")

.PHONY: samples
samples: $(foreach a,$(ARCHITECTURES),dist/sampleapp-linux-$(a)) ## Build the sample apps: dist/sample-images and their charts, dist/samples. PUSH=registry/path also pushes the images.
	go run ./hack/image samples --output dist/sample-images --version "$(VERSION)" --revision "$(REVISION)" --created "$(CREATED)" \
	  $(foreach a,$(ARCHITECTURES),linux/$(a)=dist/sampleapp-linux-$(a))
	go run ./hack/release samples --output dist/samples $(if $(PUSH),--registry "$(PUSH)")
	$(if $(PUSH),go run ./hack/image push dist/sample-images "$(PUSH)")

# The platforms of the kubectl plugin.
PLUGIN_PLATFORMS ?= linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64 windows-arm64

.PHONY: plugins
plugins: $(PLUGIN_PLATFORMS:%=dist/kubectl-market-%) ## Pack the kubectl plugin for all platforms, with its manifest for Krew: dist/kubectl-market_*.tar.gz, dist/appmarket.yaml.
	go run ./hack/release plugin --output dist --version "$(VERSION)"

# The version is in the program, so it is linked again when the commit changes.
dist/kubectl-market-%: FORCE
	@GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(word 2,$(subst -, ,$*)) hack/build.sh . $@ $(call program_flags,$(VERSION),main.buildVersion) ./cmd/kubectl-market

dist/sampleapp-linux-%: $(wildcard hack/sampleapp/*.go) go.mod
	@mkdir -p dist
	GOOS=linux GOARCH=$* go build -o $@ $(program_flags) ./hack/sampleapp

# The version is in the program, so it is linked again when the commit changes.
dist/appmarket-linux-%: FORCE
	@GOOS=linux GOARCH=$* hack/build.sh . $@ $(call program_flags,$(VERSION)) .
	@size=$$(stat -c %s $@); awk "BEGIN {printf \"%s %.1f MB\n\", \"$@\", $$size/1e6; exit $$size > $(MAX_PROGRAM_MB)e6}" || \
	  { echo "$@ is larger than $(MAX_PROGRAM_MB) MB" >&2; exit 1; }

dist/sbom-linux-%.cdx.json: dist/appmarket-linux-% $(BIN)/cyclonedx-gomod
	@$(BIN)/cyclonedx-gomod bin -json -licenses -std -noserial -notimestamp -version "v$(VERSION)" -output $@ $< \
	  2>$@.log || { cat $@.log >&2; exit 1; }
	@rm -f $@.log

.PHONY: FORCE
FORCE:

# Tools: each from the module that pins it.
$(BIN)/controller-gen: hack/tools/go.sum
	@hack/build.sh hack/tools $@ -ldflags="-s -w" sigs.k8s.io/controller-tools/cmd/controller-gen

$(BIN)/crd-ref-docs: hack/tools/go.sum
	@hack/build.sh hack/tools $@ -ldflags="-s -w" github.com/elastic/crd-ref-docs

$(BIN)/cyclonedx-gomod: hack/tools/sbom/go.sum
	@hack/build.sh hack/tools/sbom $@ -ldflags="-s -w" github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

$(BIN)/ginkgo: go.mod
	@hack/build.sh . $@ -ldflags="-s -w" github.com/onsi/ginkgo/v2/ginkgo

$(BIN)/testreport: $(wildcard hack/testreport/*.go)
	@hack/build.sh . $@ -ldflags="-s -w" ./hack/testreport

$(BIN)/golangci-lint: hack/tools/lint/main.go hack/tools/lint/go.sum
	@echo "building the linter from source; the first time this takes some minutes"
	@hack/build.sh hack/tools/lint $@ -ldflags="-s -w" .

# As Helm's own build does, the version of Kubernetes that helm template assumes without a cluster is that of its client
# library. Helm 4 finds it out by itself.
$(BIN)/helm3 $(BIN)/helm4: $(BIN)/helm%: hack/tools/helm%/go.sum
	@echo "building the helm $* client from source; the first time this takes some minutes"
	@version=$$(go -C hack/tools/helm$* list -m -f '{{.Version}}' helm.sh/helm/v$*) && \
	  minor=$$(go -C hack/tools/helm$* list -m -f '{{.Version}}' k8s.io/client-go | cut -d. -f2) && \
	  hack/build.sh hack/tools/helm$* $@ -ldflags="-s -w -X helm.sh/helm/v$*/internal/version.version=$$version \
	    -X helm.sh/helm/v$*/pkg/chartutil.k8sVersionMinor=$$minor -X helm.sh/helm/v$*/pkg/lint/rules.k8sVersionMinor=$$minor" \
	    helm.sh/helm/v$*/cmd/helm

.PHONY: helm
helm: $(BIN)/helm3 $(BIN)/helm4 ## Build the helm clients that tests use.

.PHONY: clean
clean: down ## Stop everything and remove what was built.
	rm -rf bin dist .local
