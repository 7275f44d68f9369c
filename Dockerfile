FROM python:3.13-slim-bookworm AS build
WORKDIR /build
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv /opt/wallet-service \
 && /opt/wallet-service/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
    -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY wallet_service wallet_service
# The build tool is the one that the tests' hashed requirements pin.
COPY requirements/dev.txt requirements/dev.txt
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
    -r requirements/dev.txt \
 && /opt/build/bin/python -m build --wheel --no-isolation --outdir /build/dist \
 && /opt/wallet-service/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index \
    /build/dist/*.whl

FROM python:3.13-slim-bookworm
RUN groupadd --gid 8208 wallet \
 && useradd --uid 8208 --gid wallet --no-create-home --home-dir /data --shell /usr/sbin/nologin wallet \
 && install --directory --owner=wallet --group=wallet --mode=0700 /data
COPY --from=build /opt/wallet-service /opt/wallet-service
ENV PATH=/opt/wallet-service/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WALLET_HOST=0.0.0.0 \
    WALLET_PORT=8208 \
    WALLET_DATA_DIR=/data
USER wallet
WORKDIR /data
VOLUME /data
EXPOSE 8208
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['WALLET_PORT'] + '/health/live', timeout=2)"]
CMD ["wallet-service", "serve"]
