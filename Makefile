# One command each; the first of them makes .venv, which takes a minute or two.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test slow namespaces lint check docs bench picture pictures

demo: .venv/ready ## train on real digits, print the accuracy, draw the run
	$(BIN)/python examples/digits.py fit --config configs/warmup_cosine.yaml

test: .venv/ready ## all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" -n 2

slow: .venv/ready ## the slow ones
	$(BIN)/python -m pytest -m slow -n 2

namespaces: .venv-pytorch-lightning/ready ## Lightning's two names, where pytorch-lightning is all there is
	.venv-pytorch-lightning/bin/python -m pytest tests/test_both_namespaces.py tests/training/test_lightning_names.py

lint: .venv/ready ## formatter, linter, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

docs: .venv/docs ## the site, into docs/_build; a warning is an error, and so is a link that leads nowhere
	rm -rf docs/_build
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs . docs/_build
	@echo "read docs/_build/index.html"

bench: .venv/ready ## what a schedule costs beside others (pip install them to have them in), into docs/performance.md
	$(BIN)/python benchmarks/overhead.py --markdown docs/performance.md

picture: demo ## renew the picture of the README
	mkdir -p docs/images
	cp "$$(ls -t runs/digits/*/lr_and_loss.png | head -n 1)" docs/images/demo.png

pictures: .venv/ready ## renew those of docs/
	$(BIN)/python docs/make_pictures.py

# The stamp is written last: an interrupted installation is taken up again, and so is one whose pins have changed.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $@

.venv/docs: .venv/ready
	$(BIN)/python -m pip install -c constraints.txt -e '.[docs]'
	touch $@

# This package is not installed in it, which would bring lightning: the tests run from here.
.venv-pytorch-lightning/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-pytorch-lightning
	.venv-pytorch-lightning/bin/python -m pip install -c constraints.txt pytorch-lightning 'jsonargparse[signatures]' pytest
	touch $@
