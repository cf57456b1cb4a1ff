# One command each; the first of them makes .venv, which takes a minute or two.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test slow lint check bench picture pictures examples projects

demo: .venv/ready ## train on real digits, print the accuracy, draw the run
	$(BIN)/python examples/digits.py fit --config configs/warmup_cosine.yaml

test: .venv/ready ## all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" -n 2

slow: .venv/ready ## the slow ones
	$(BIN)/python -m pytest -m slow -n 2

lint: .venv/ready ## formatter, linter, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

bench: .venv/ready ## what a schedule costs beside others (pip install them to have them in), into docs/performance.md
	$(BIN)/python benchmarks/overhead.py --markdown docs/performance.md

picture: demo ## renew the picture of the README
	mkdir -p docs/images
	cp "$$(ls -t runs/digits/*/lr_and_loss.png | head -n 1)" docs/images/demo.png

pictures: .venv/ready ## renew those of docs/
	$(BIN)/python docs/make_pictures.py

examples: .venv/ready ## run those that docs/examples.md shows, and renew their pictures
	for name in byte_transformer gan fine_tuning ddp; do $(BIN)/python examples/$$name.py || exit 1; \
	cp "$$(ls -t runs/$$name/*/lr_and_loss.png | head -n 1)" docs/images/example_$$name.png; done

projects: ## our callback in the projects of others, each in an environment of its own: the table of docs/projects.md
	$(PYTHON) projects/run.py

# The stamp is written last: an interrupted installation is taken up again, and so is one whose pins have changed.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $@
