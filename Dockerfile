FROM python:3.11-slim AS build
COPY requirements.lock .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TOLLGATE_DATA=/data
RUN useradd --system --uid 10001 --home-dir /data --create-home tollgate
COPY --from=build /venv /venv
COPY . /app
WORKDIR /app
USER tollgate
VOLUME /data
EXPOSE 8000
# All of it, with a PostgreSQL and a Redis of its own unless DATABASE_URL and REDIS_URL say where they are.
CMD ["python", "manage.py", "up", "--host", "0.0.0.0"]
