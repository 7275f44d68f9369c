# Pin the image for a release: --build-arg PYTHON=python:3.13-slim-bookworm@sha256:…
ARG PYTHON=python:3.13-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /build
COPY requirements/build.txt requirements/image.txt requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
    -r requirements/build.txt
# Without pip, and without the second PostgreSQL of the wheel, which is never started.
RUN python -m venv --without-pip /opt/wallet-service \
 && /opt/build/bin/pip --python /opt/wallet-service/bin/python install --no-cache-dir --disable-pip-version-check \
    --require-hashes -r requirements/image.txt \
 && find /opt/wallet-service -type d -name pginstall -prune -exec rm -r {} +
COPY pyproject.toml README.md LICENSE ./
COPY wallet_service wallet_service
RUN /opt/build/bin/python -m build --wheel --no-isolation --outdir /build/dist \
 && /opt/build/bin/pip --python /opt/wallet-service/bin/python install --no-cache-dir --disable-pip-version-check \
    --no-deps --no-index /build/dist/*.whl

# Stand-ins for the account, organization and payment services, to run the service with upstream services.
FROM build AS upstreams
COPY tests/contracts tests/contracts
COPY tests/support/stand_in.py tests/support/stand_in.py
USER 65534:65534
EXPOSE 8202 8207 8210
CMD ["/opt/build/bin/python", "tests/support/stand_in.py", "--host", "0.0.0.0", "8202", "8207", "8210"]

FROM ${PYTHON} AS service
RUN groupadd --gid 8208 wallet \
 && useradd --uid 8208 --gid wallet --no-create-home --home-dir /data --shell /usr/sbin/nologin wallet \
 && install --directory --owner=wallet --group=wallet --mode=0700 /data
COPY --from=build /opt/wallet-service /opt/wallet-service
ENV PATH=/opt/wallet-service/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WALLET_HOST=0.0.0.0 \
    WALLET_PORT=8208 \
    WALLET_DATA_DIR=/data
USER 8208:8208
WORKDIR /data
VOLUME /data
EXPOSE 8208
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['WALLET_PORT'] + '/health/live', timeout=2)"]
CMD ["wallet-service", "serve"]
