# Image of a Beam worker that tags with an ONNX model: that of worker.Dockerfile with onnxruntime, without TensorFlow.
#   docker build -f docker/tagger_onnx.Dockerfile -t IMAGE .
#   python -m pipeline.run tag --runtime onnx … -- --runner=DataflowRunner --sdk_container_image=IMAGE \
#       --sdk_location=container --no_save_main_session --number_of_worker_harness_threads=1
FROM apache/beam_python3.11_sdk:2.77.0

WORKDIR /opt/tagscale
COPY locks/tagger_onnx.txt locks/tagger_onnx.txt
RUN pip install --no-cache-dir --require-hashes --no-deps -r locks/tagger_onnx.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY schemas schemas
COPY pipeline pipeline
COPY training training
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && python -m pipeline.run --help > /dev/null

# Beam's own entry point starts the worker.
ENTRYPOINT ["/opt/apache/beam/boot"]
