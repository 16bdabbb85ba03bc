# syntax=docker/dockerfile:1
# One image for each service: docker build --build-arg SERVICE=email_service .
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-trixie AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv --without-pip /opt/carillon
COPY requirements/runtime.txt /tmp/runtime.txt
# Only wheels, each with its hash: nothing is compiled, and nothing unknown comes in.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/carillon/bin/python install \
    --require-hashes --no-deps --only-binary :all: -r /tmp/runtime.txt

FROM python:${PYTHON}-slim-trixie
ARG SERVICE
RUN test -n "${SERVICE}" \
    && useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 carillon \
    && install --directory --owner=carillon /var/lib/carillon/firebase /var/lib/carillon/sandbox
WORKDIR /app
COPY --from=dependencies /opt/carillon /opt/carillon
COPY shared shared
COPY ${SERVICE} ${SERVICE}
RUN /opt/carillon/bin/python -m compileall -q .
ENV PATH=/opt/carillon/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    SERVICE=${SERVICE}
USER 10001
# exec: the service itself gets SIGTERM, and drains.
CMD ["sh", "-c", "exec python -m \"${SERVICE}\""]
