"""What well-known images hold: their data, their ports, what they can and cannot do.

A row says only what holds for every usual version; rules look at the version where it matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from stackwright.checks.knowledge.references import parse_image


@dataclass(frozen=True, slots=True)
class Software:
    """One program. ``single``: a second container with the same data breaks it. ``public``: made to face
    the world. ``prefixes``: of the variables that only this program's image reads."""

    name: str
    kind: str
    images: tuple[str, ...]
    ports: tuple[int, ...] = ()
    data: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    healthcheck: str = ""
    public: bool = False
    binaries: tuple[str, ...] = ()

    @property
    def stateful(self) -> bool:
        """It keeps data that nobody can make again."""
        return self.kind in ("database", "queue", "search")

    @property
    def single(self) -> bool:
        """A second container of the same service is a mistake."""
        return self.kind in ("database", "queue", "search", "cache")


_PG = (
    "postgres",
    "bitnami/postgresql",
    "bitnamilegacy/postgresql",
    "postgis/postgis",
    "timescale/timescaledb",
    "timescale/timescaledb-ha",
    "pgvector/pgvector",
    "ankane/pgvector",
    "supabase/postgres",
    "citusdata/citus",
    "paradedb/paradedb",
    "tensorchord/pgvecto-rs",
)
SOFTWARE: tuple[Software, ...] = (
    Software(
        "PostgreSQL",
        "database",
        _PG,
        (5432,),
        ("/var/lib/postgresql", "/bitnami/postgresql", "/home/postgres/pgdata"),
        ("POSTGRES_", "PG", "POSTGRESQL_"),
        (
            "postgres",
            "postgresql",
            "postgresql+asyncpg",
            "postgresql+psycopg2",
            "postgresql+psycopg",
            "postgis",
        ),
        "pg_isready",
        binaries=("postgres",),
    ),
    Software(
        "MySQL",
        "database",
        (
            "mysql",
            "mysql/mysql-server",
            "bitnami/mysql",
            "bitnamilegacy/mysql",
            "percona",
            "percona/percona-server",
        ),
        (3306,),
        ("/var/lib/mysql", "/bitnami/mysql"),
        ("MYSQL_",),
        ("mysql", "mysql2", "mysql+pymysql", "mysql+aiomysql"),
        "mysqladmin ping",
        binaries=("mysqld",),
    ),
    Software(
        "MariaDB",
        "database",
        (
            "mariadb",
            "bitnami/mariadb",
            "bitnamilegacy/mariadb",
            "linuxserver/mariadb",
            "yobasystems/alpine-mariadb",
        ),
        (3306,),
        ("/var/lib/mysql", "/bitnami/mariadb", "/config"),
        ("MARIADB_", "MYSQL_"),
        ("mariadb", "mysql", "mysql2", "mysql+pymysql"),
        "healthcheck.sh --connect --innodb_initialized",
        binaries=("mariadbd", "mysqld"),
    ),
    Software(
        "MongoDB",
        "database",
        (
            "mongo",
            "bitnami/mongodb",
            "bitnamilegacy/mongodb",
            "mongodb/mongodb-community-server",
            "percona/percona-server-mongodb",
        ),
        (27017,),
        ("/data/db", "/bitnami/mongodb"),
        ("MONGO_INITDB_", "MONGODB_"),
        ("mongodb", "mongodb+srv"),
        "mongosh --eval \"db.adminCommand('ping')\"",
        binaries=("mongod",),
    ),
    Software(
        "Redis",
        "cache",
        (
            "redis",
            "bitnami/redis",
            "bitnamilegacy/redis",
            "redis/redis-stack",
            "redis/redis-stack-server",
            "valkey/valkey",
            "eqalpha/keydb",
            "docker.dragonflydb.io/dragonflydb/dragonfly",
        ),
        (6379,),
        ("/data", "/bitnami/redis"),
        ("REDIS_", "VALKEY_"),
        ("redis", "rediss"),
        "redis-cli ping",
        binaries=("redis-server", "valkey-server"),
    ),
    Software(
        "Memcached",
        "cache",
        ("memcached", "bitnami/memcached"),
        (11211,),
        (),
        (),
        ("memcached",),
        binaries=("memcached",),
    ),
    Software(
        "RabbitMQ",
        "queue",
        ("rabbitmq", "bitnami/rabbitmq", "bitnamilegacy/rabbitmq"),
        (5672,),
        ("/var/lib/rabbitmq", "/bitnami/rabbitmq"),
        ("RABBITMQ_",),
        ("amqp", "amqps", "pyamqp"),
        "rabbitmq-diagnostics -q ping",
        binaries=("rabbitmq-server",),
    ),
    Software(
        "Kafka",
        "queue",
        (
            "apache/kafka",
            "confluentinc/cp-kafka",
            "bitnami/kafka",
            "bitnamilegacy/kafka",
            "wurstmeister/kafka",
            "confluentinc/confluent-local",
        ),
        (9092,),
        ("/var/lib/kafka", "/bitnami/kafka", "/kafka", "/tmp/kraft-combined-logs", "/tmp/kafka-logs"),
        ("KAFKA_",),
        ("kafka",),
    ),
    Software(
        "ZooKeeper",
        "database",
        (
            "zookeeper",
            "confluentinc/cp-zookeeper",
            "bitnami/zookeeper",
            "bitnamilegacy/zookeeper",
            "wurstmeister/zookeeper",
        ),
        (2181,),
        ("/var/lib/zookeeper", "/data", "/datalog", "/bitnami/zookeeper", "/opt/zookeeper"),
        ("ZOO_", "ZOOKEEPER_"),
        ("zookeeper",),
    ),
    Software(
        "NATS", "queue", ("nats", "bitnami/nats"), (4222,), (), (), ("nats",), binaries=("nats-server",)
    ),
    Software(
        "Elasticsearch",
        "search",
        (
            "elasticsearch",
            "elasticsearch/elasticsearch",
            "bitnami/elasticsearch",
            "bitnamilegacy/elasticsearch",
        ),
        (9200,),
        ("/usr/share/elasticsearch/data", "/bitnami/elasticsearch"),
        (),
        ("elasticsearch",),
    ),
    Software(
        "OpenSearch",
        "search",
        ("opensearchproject/opensearch", "bitnami/opensearch"),
        (9200,),
        ("/usr/share/opensearch/data", "/bitnami/opensearch"),
    ),
    Software("Meilisearch", "search", ("getmeili/meilisearch",), (7700,), ("/meili_data", "/data.ms")),
    Software("Typesense", "search", ("typesense/typesense",), (8108,), ("/data",)),
    Software(
        "ClickHouse",
        "database",
        ("clickhouse/clickhouse-server", "yandex/clickhouse-server", "bitnami/clickhouse", "clickhouse"),
        (8123, 9000),
        ("/var/lib/clickhouse", "/bitnami/clickhouse"),
        ("CLICKHOUSE_",),
        ("clickhouse",),
    ),
    Software(
        "Cassandra",
        "database",
        ("cassandra", "bitnami/cassandra", "scylladb/scylla"),
        (9042,),
        ("/var/lib/cassandra", "/var/lib/scylla", "/bitnami/cassandra"),
        ("CASSANDRA_",),
        ("cassandra",),
    ),
    Software(
        "Neo4j",
        "database",
        ("neo4j", "bitnami/neo4j"),
        (7687, 7474),
        ("/data", "/bitnami/neo4j"),
        ("NEO4J_",),
        ("neo4j", "bolt"),
    ),
    Software(
        "InfluxDB",
        "database",
        ("influxdb", "bitnami/influxdb"),
        (8086,),
        ("/var/lib/influxdb", "/var/lib/influxdb2", "/bitnami/influxdb"),
        ("INFLUXDB_", "DOCKER_INFLUXDB_"),
        (),
    ),
    Software("Qdrant", "database", ("qdrant/qdrant",), (6333, 6334), ("/qdrant/storage",), ("QDRANT__",), ()),
    Software(
        "Weaviate", "database", ("semitechnologies/weaviate", "weaviate/weaviate"), (), ("/var/lib/weaviate",)
    ),
    Software(
        "Chroma", "database", ("chromadb/chroma", "ghcr.io/chroma-core/chroma"), (), ("/chroma", "/data")
    ),
    Software(
        "CouchDB",
        "database",
        ("couchdb", "apache/couchdb", "bitnami/couchdb"),
        (5984,),
        ("/opt/couchdb/data", "/bitnami/couchdb"),
        ("COUCHDB_",),
        ("couchdb",),
    ),
    Software(
        "SQL Server",
        "database",
        ("mcr.microsoft.com/mssql/server",),
        (1433,),
        ("/var/opt/mssql",),
        ("MSSQL_",),
        ("mssql", "sqlserver"),
    ),
    Software(
        "CockroachDB",
        "database",
        ("cockroachdb/cockroach",),
        (26257,),
        ("/cockroach/cockroach-data", "/cockroach-data"),
        ("COCKROACH_",),
        ("cockroachdb",),
    ),
    Software("RethinkDB", "database", ("rethinkdb",), (28015,), ("/data",)),
    Software(
        "etcd",
        "database",
        ("quay.io/coreos/etcd", "gcr.io/etcd-development/etcd", "bitnami/etcd"),
        (2379,),
        ("/etcd-data", "/bitnami/etcd", "/etcd"),
        ("ETCD_",),
        (),
    ),
    Software(
        "MinIO",
        "storage",
        ("minio/minio", "quay.io/minio/minio", "bitnami/minio"),
        (9000,),
        ("/data", "/bitnami/minio"),
        ("MINIO_",),
        (),
    ),
    Software(
        "nginx",
        "proxy",
        ("nginx", "nginxinc/nginx-unprivileged", "bitnami/nginx", "openresty/openresty"),
        (80,),
        (),
        ("NGINX_",),
        (),
        public=True,
    ),
    Software("Traefik", "proxy", ("traefik",), (80, 443), (), ("TRAEFIK_",), (), public=True),
    Software("Caddy", "proxy", ("caddy",), (80, 443), (), (), (), public=True),
    Software("HAProxy", "proxy", ("haproxy", "haproxytech/haproxy-alpine"), (), (), (), (), public=True),
    Software("Apache HTTP Server", "proxy", ("httpd",), (80,), (), (), (), public=True),
    Software("Envoy", "proxy", ("envoyproxy/envoy",), (), (), (), (), public=True),
    Software("Kong", "proxy", ("kong", "kong/kong-gateway"), (8000,), (), ("KONG_",), (), public=True),
    Software(
        "Prometheus",
        "metrics",
        ("prom/prometheus", "quay.io/prometheus/prometheus", "bitnami/prometheus"),
        (9090,),
        ("/prometheus",),
    ),
    Software(
        "VictoriaMetrics",
        "metrics",
        ("victoriametrics/victoria-metrics",),
        (8428,),
        ("/victoria-metrics-data", "/storage"),
    ),
    Software(
        "Grafana",
        "metrics",
        ("grafana/grafana", "grafana/grafana-oss", "grafana/grafana-enterprise"),
        (3000,),
        ("/var/lib/grafana",),
        ("GF_",),
    ),
    Software("Loki", "metrics", ("grafana/loki",), (3100,), ("/loki",)),
    Software(
        "OpenTelemetry Collector",
        "metrics",
        ("otel/opentelemetry-collector", "otel/opentelemetry-collector-contrib"),
        (4317, 4318),
    ),
    Software("Datadog Agent", "metrics", ("datadog/agent", "gcr.io/datadoghq/agent"), ()),
    Software("Netdata", "metrics", ("netdata/netdata",), (19999,)),
    Software("pgAdmin", "admin", ("dpage/pgadmin4",), (80,), (), ("PGADMIN_",)),
    Software("phpMyAdmin", "admin", ("phpmyadmin", "phpmyadmin/phpmyadmin"), (80,), (), ("PMA_",)),
    Software("Adminer", "admin", ("adminer",), (8080,)),
    Software("Mongo Express", "admin", ("mongo-express",), (8081,), (), ("ME_CONFIG_",)),
    Software(
        "Redis Commander",
        "admin",
        ("rediscommander/redis-commander", "ghcr.io/joeferner/redis-commander"),
        (8081,),
    ),
    Software("Redis Insight", "admin", ("redis/redisinsight", "redislabs/redisinsight"), (5540, 8001)),
    Software(
        "Kafka UI",
        "admin",
        ("provectuslabs/kafka-ui", "ghcr.io/kafbat/kafka-ui", "kafbat/kafka-ui", "obsidiandynamics/kafdrop"),
        (8080, 9000),
    ),
    Software("Kibana", "admin", ("kibana", "docker.elastic.co/kibana/kibana"), (5601,)),
    Software(
        "Portainer",
        "admin",
        ("portainer/portainer-ce", "portainer/portainer", "portainer/portainer-ee"),
        (9000, 9443),
    ),
    Software("Dozzle", "admin", ("amir20/dozzle",), (8080,)),
    Software("MailHog", "admin", ("mailhog/mailhog", "axllent/mailpit", "maildev/maildev"), (8025, 1080)),
)

_BY_IMAGE: dict[str, Software] = {image: row for row in SOFTWARE for image in row.images}

SOCKET_TOOLS = (
    "traefik", "portainer", "watchtower", "dozzle", "diun", "docker-gen", "nginx-proxy", "acme-companion", "letsencrypt-nginx-proxy-companion", "cadvisor",
    "docker-socket-proxy", "autoheal", "ofelia", "lazydocker", "ctop", "homepage", "promtail", "alloy", "agent", "netdata", "yacht", "dockge", "caddy-docker-proxy",
    "swarmpit", "swarm-cronjob", "docker-autocompose", "whoami", "gitlab-runner", "act_runner", "drone-runner-docker", "woodpecker-agent", "crowdsec", "vector", "fluent-bit", "telegraf", "beszel-agent", "localstack", "uptime-kuma", "glances", "docker-volume-backup",
)  # fmt: skip
"""Last parts of images whose purpose needs the Docker socket."""


@lru_cache(maxsize=4096)
def software_of(image: str) -> Software | None:
    """The program in an image, when its name is a known one."""
    name = parse_image(image)
    full = f"{name.registry}/{name.repository}" if name.registry else name.repository
    found = _BY_IMAGE.get(full)
    if found is None and name.registry in ("docker.elastic.co", "public.ecr.aws", "ghcr.io", "quay.io"):
        found = _BY_IMAGE.get(name.repository.removeprefix("docker/library/"))
    return found
