# Two images from one file:
#   docker build --target triton  -t semseg-triton  .
#   docker build --target gateway -t semseg-gateway .
# To deploy: mount the exported model_repository/ at /models in the first, and pass the address of the first to the second.

# NVIDIA's server: ONNX Runtime 1.27 in C++, the Python backend on Python 3.12.
FROM nvcr.io/nvidia/tritonserver:26.07-py3 AS triton
# server/semseg_server/bundle.py sets the same values and gives the reasons.
ENV ORT_DISABLE_TELEMETRY=1 MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=134217728 \
    MALLOC_ARENA_MAX=1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1
# The packages that model_repository/*/1/model.py and the backends import.
COPY locks/triton.txt /tmp/locked.txt
RUN pip install --no-cache-dir --break-system-packages --no-deps --only-binary :all: --require-hashes -r /tmp/locked.txt \
    && rm /tmp/locked.txt
COPY server/healthcheck.py /opt/semseg/healthcheck.py
COPY server/semseg_server/backends /opt/semseg/backends
RUN ln -s /opt/semseg/backends/engines /opt/tritonserver/backends/engines
USER 1000:1000
EXPOSE 8001 8002
# Runs a real inference on every model. A model process that dies stays dead until the container restarts.
HEALTHCHECK --interval=10s --timeout=30s --start-period=60s CMD ["python3", "/opt/semseg/healthcheck.py"]
# Triton's HTTP port serves only the health check: a single malformed request to it can crash the server. Callers cannot load
# models, and other unneeded APIs require headers that cannot be sent (server/semseg_server/tritonserver.py).
# Each Python model starts with 16 MiB of shared memory: a 2048x1024 image fits without growing it.
CMD ["tritonserver", "--model-repository=/models", "--model-control-mode=none", "--http-address=127.0.0.1", \
     "--http-restricted-api=shared-memory,trace,logging:\nclosed=1", \
     "--grpc-restricted-protocol=shared-memory,trace,logging:CLOSED=1", \
     "--backend-config=python,shm-default-byte-size=16777216"]

FROM python:3.12-slim AS gateway
WORKDIR /app
COPY locks/gateway.txt /tmp/locked.txt
RUN pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /tmp/locked.txt && rm /tmp/locked.txt
COPY VERSION LICENSE ./
COPY contract contract
COPY client client
COPY model_repository model_repository
COPY locks/export.txt locks/export.txt
RUN pip install --no-cache-dir --no-deps --no-build-isolation ./contract ./client
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --start-period=60s \
    CMD ["python", "-c", "import os, ssl; from urllib.request import HTTPSHandler, ProxyHandler, build_opener; \
scheme = 'https' if os.environ.get('SEMSEG_TLS_CERTIFICATE') else 'http'; \
trusting = HTTPSHandler(context=ssl._create_unverified_context()); \
build_opener(ProxyHandler({}), trusting).open(scheme + '://localhost:8080/readyz', timeout=5)"]
CMD ["semseg", "serve", "--url", "triton:8001", "--host", "0.0.0.0"]
