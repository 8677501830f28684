# Two images from one file:
#   docker build --target triton  -t semseg-triton  .
#   docker build --target gateway -t semseg-gateway .
# deploy: mount the exported model_repository/ into the first at /models, give the first's address to the second.

# NVIDIA's server: ONNX Runtime 1.27 in C++, the Python backend on Python 3.12.
FROM nvcr.io/nvidia/tritonserver:26.07-py3 AS triton
# As server/semseg_server/bundle.py has them, with the reasons.
ENV ORT_DISABLE_TELEMETRY=1 MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=134217728 \
    GLIBC_TUNABLES=glibc.malloc.hugetlb=1
# What model_repository/*/1/model.py import.
COPY locks/triton.txt /tmp/locked.txt
RUN pip install --no-cache-dir --break-system-packages --no-deps --only-binary :all: --require-hashes -r /tmp/locked.txt \
    && rm /tmp/locked.txt
USER 1000:1000
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=10s --start-period=60s \
    CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://localhost:8000/v2/health/ready', timeout=5)"]
# 16 MiB of shared memory for each Python model to start with: room for a 2048x1024 image without growing.
CMD ["tritonserver", "--model-repository=/models", "--backend-config=python,shm-default-byte-size=16777216"]

FROM python:3.12-slim AS gateway
WORKDIR /app
COPY locks/gateway.txt /tmp/locked.txt
RUN pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /tmp/locked.txt && rm /tmp/locked.txt
COPY pyproject.toml README.md LICENSE ./
COPY client client
COPY export export
COPY server server
COPY model_repository model_repository
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://localhost:8080/health', timeout=10)"]
CMD ["semseg", "serve", "--url", "triton:8001", "--host", "0.0.0.0"]
