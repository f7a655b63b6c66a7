"""The mistakes of docs/errors.md: what a person wrote. The test prints what Stackwright says to it."""

from __future__ import annotations

SERVICE = "services:\n  web:\n    image: nginx\n"

GALLERY: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "A list that is not closed",
        {"compose.yaml": "services:\n  web:\n    image: nginx\n    ports: [80, 443\n"},
    ),
    ("A tab for indentation", {"compose.yaml": "services:\n\tweb:\n\t\timage: nginx\n"}),
    ("A colon that is missing", {"compose.yaml": "services:\n  web:\n    image nginx\n    ports: [80]\n"}),
    ("A colon too many", {"compose.yaml": "services:\n  web:\n    image: nginx: latest\n"}),
    (
        "An indentation that fits nothing",
        {"compose.yaml": "services:\n  web:\n    image: nginx\n   ports: [80]\n"},
    ),
    ("An indentation too much", {"compose.yaml": SERVICE + "      ports: [80]\n"}),
    ("An entry of a list in the wrong place", {"compose.yaml": SERVICE + "    - 80:80\n"}),
    ("A line of a list without its dash", {"compose.yaml": SERVICE + "    ports:\n      - 80\n      a: b\n"}),
    ("A word where a key should be", {"compose.yaml": SERVICE + "    ports\n"}),
    (
        "A quote that is not closed",
        {"compose.yaml": 'services:\n  web:\n    image: "nginx\n    ports: ["80:80"]\n'},
    ),
    ("A quote inside quotes", {"compose.yaml": SERVICE + "    command: 'echo it's'\n"}),
    ("A sign that begins no value", {"compose.yaml": "services:\n  web:\n    image: @scope/nginx\n"}),
    ("A star that is no alias", {"compose.yaml": SERVICE + "    command: *\n"}),
    ("A list with a colon inside", {"compose.yaml": SERVICE + "    command: [echo: a: b]\n"}),
    ("A variable inside braces", {"compose.yaml": SERVICE + "    labels: {tag: ${TAG:-1}}\n"}),
    (
        "An anchor below its use",
        {"compose.yaml": SERVICE + "    <<: *common\nx-common: &common\n  restart: always\n"},
    ),
    ("Services at the top of the file", {"compose.yaml": "web:\n  image: nginx\n"}),
    ("Services as a list", {"compose.yaml": "services:\n  - web:\n      image: nginx\n"}),
    ("A list of mappings", {"compose.yaml": SERVICE + "    environment:\n      - PORT: 80\n"}),
    ("Lines without dashes", {"compose.yaml": SERVICE + "    environment:\n      PORT=80\n      HOST=a\n"}),
    ("The same key twice", {"compose.yaml": SERVICE + "    image: httpd\n"}),
    (
        "A number as a key",
        {"compose.yaml": "services:\n  web:\n    image: nginx\n    labels:\n      8080: yes\n"},
    ),
    ("An alias without an anchor", {"compose.yaml": "services:\n  web: *common\n"}),
    ("A list where the services should be", {"compose.yaml": "- web\n- db\n"}),
    ("A key that does not exist", {"compose.yaml": SERVICE + "    enviroment:\n      A: 1\n"}),
    ("A top-level key that does not exist", {"compose.yaml": SERVICE + "volume:\n  data: {}\n"}),
    ("A text where a list should be", {"compose.yaml": SERVICE + "    ports: 80:80\n"}),
    (
        "A date, which YAML makes of some texts",
        {"compose.yaml": SERVICE + "    labels:\n      built: 2024-05-01\n"},
    ),
    ("A word that is not one of the choices", {"compose.yaml": SERVICE + "    cgroup: hostt\n"}),
    ("A service name that is none", {"compose.yaml": "services:\n  my app:\n    image: nginx\n"}),
    ("An indentation too little", {"compose.yaml": "services:\n  web:\n  image: nginx\n"}),
    ("A port that is none", {"compose.yaml": SERVICE + '    ports:\n      - "8080:http"\n'}),
    ("Port ranges that do not fit", {"compose.yaml": SERVICE + '    ports:\n      - "8000-8002:80-81"\n'}),
    (
        "A volume with too many parts",
        {"compose.yaml": SERVICE + "    volumes:\n      - data:/var/lib:ro:z\n"},
    ),
    (
        "A duration without a unit",
        {"compose.yaml": SERVICE + '    healthcheck:\n      test: curl localhost\n      interval: "30"\n'},
    ),
    ("A size that is none", {"compose.yaml": SERVICE + "    mem_limit: 512 megs\n"}),
    ("A command that cannot be split", {"compose.yaml": SERVICE + "    command: sh -c \"echo it's\n"}),
    ("A quote left open in a command", {"compose.yaml": SERVICE + "    command: sh -c 'echo hello\n"}),
    (
        "A variable that must have a value",
        {"compose.yaml": "services:\n  db:\n    image: postgres:${PG_VERSION:?set it}\n"},
    ),
    (
        "A broken substitution",
        {"compose.yaml": SERVICE + "    environment:\n      URL: http://${HOST:80}/\n"},
    ),
    (
        "A variable that is no number",
        {"compose.yaml": SERVICE + "    scale: ${REPLICAS}\n", ".env": "REPLICAS=three\n"},
    ),
    (
        "An undefined network",
        {"compose.yaml": SERVICE + "    networks: [fronted]\nnetworks:\n  frontend: {}\n"},
    ),
    ("An undefined volume", {"compose.yaml": SERVICE + "    volumes:\n      - data:/var/lib\n"}),
    (
        "An undefined dependency",
        {"compose.yaml": SERVICE + "    depends_on: [databse]\n  database:\n    image: postgres\n"},
    ),
    (
        "A dependency that no profile enables",
        {
            "compose.yaml": SERVICE
            + "    depends_on: [debug]\n  debug:\n    image: busybox\n    profiles: [dev]\n"
        },
    ),
    (
        "A circle of dependencies",
        {
            "compose.yaml": "services:\n"
            + "".join(f"  {a}:\n    image: x\n    depends_on: [{b}]\n" for a, b in ("ab", "bc", "ca"))
        },
    ),
    ("Neither an image nor a build", {"compose.yaml": "services:\n  web:\n    restart: always\n"}),
    (
        "Both network_mode and networks",
        {"compose.yaml": SERVICE + "    network_mode: host\n    networks: [default]\n"},
    ),
    (
        "One name for three containers",
        {"compose.yaml": SERVICE + "    container_name: web\n    deploy:\n      replicas: 3\n"},
    ),
    (
        "A health check without its kind",
        {"compose.yaml": SERVICE + '    healthcheck:\n      test: ["curl", "-f", "localhost"]\n'},
    ),
    (
        "An external volume with a driver",
        {"compose.yaml": SERVICE + "volumes:\n  data:\n    external: true\n    driver: local\n"},
    ),
    ("An env file that is missing", {"compose.yaml": SERVICE + "    env_file: prod.env\n"}),
    ("A broken line in an env file", {"compose.yaml": SERVICE, ".env": "# settings\nDB HOST=localhost\n"}),
    (
        "A base that is not there",
        {
            "compose.yaml": "services:\n  web:\n    extends:\n      file: base.yaml\n      service: wbe\n",
            "base.yaml": "services:\n  web:\n    image: nginx\n",
        },
    ),
    (
        "Services that extend each other",
        {"compose.yaml": "services:\n  a: {extends: b}\n  b: {extends: a}\n"},
    ),
    (
        "Included files that disagree",
        {
            "compose.yaml": "include: [db.yaml, more.yaml]\n",
            "db.yaml": "services:\n  db:\n    image: postgres:15\n",
            "more.yaml": "services:\n  db:\n    image: postgres:16\n",
        },
    ),
    (
        "Files that include each other",
        {"compose.yaml": "include: [more.yaml]\n" + SERVICE, "more.yaml": "include: [compose.yaml]\n"},
    ),
    (
        "An override that changes a list to a mapping",
        {
            "compose.yaml": SERVICE + "    cap_add: [NET_ADMIN]\n",
            "compose.override.yaml": "services:\n  web:\n    cap_add: {SYS_TIME: }\n",
        },
    ),
    (
        "A secret that comes from nowhere",
        {"compose.yaml": SERVICE + "    secrets: [token]\nsecrets:\n  token: {}\n"},
    ),
    (
        "Several mistakes at once",
        {
            "compose.yaml": "services:\n  web:\n    image: nginx\n    port: [80]\n    networks: [front]\n    restart: [always]\n"
            "  api:\n    depends_on: [dbb]\n    build: .\n    mem_limit: lots\n  db:\n    image: postgres\n"
        },
    ),
)
