# Image for training, evaluation, export and tagging.
#   docker build -f docker/training.Dockerfile -t IMAGE .
#   docker run --gpus all IMAGE train --dataset … --label-set … --frontend spectrogram --out …
FROM python:3.11-slim-bookworm

WORKDIR /opt/tagscale
COPY locks/train.txt locks/train.txt
RUN pip install --no-cache-dir --require-hashes --no-deps -r locks/train.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY schemas schemas
COPY pipeline pipeline
COPY training training
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && tagscale-train --help > /dev/null

# A mounted folder that it writes to must belong to this user, or to the one that --user names.
RUN useradd --no-log-init --uid 1000 --create-home tagscale
USER 1000
ENTRYPOINT ["tagscale-train"]
