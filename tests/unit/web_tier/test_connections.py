"""nginx's own nginx.conf, as distributions ship it, gets room for a thousand clients."""

import pytest

from web_tier.connections import CONNECTIONS, with_room

DEBIAN = """user www-data;
worker_processes auto;
include /etc/nginx/modules-enabled/*.conf;

events {
\tworker_connections 768;
\t# multi_accept on;
}

http {
\tsendfile on;
\tinclude /etc/nginx/sites-enabled/*;
}
"""


def test_a_distributions_file_has_the_connections_and_the_files_for_them_and_is_else_as_it_was() -> None:
    main = with_room(DEBIAN)
    assert [line for line in main.splitlines() if line not in DEBIAN.splitlines()] == [
        f"worker_rlimit_nofile {2 * CONNECTIONS};",
        f"\tworker_connections {CONNECTIONS};",
    ]
    assert [line for line in DEBIAN.splitlines() if line not in main.splitlines()] == ["\tworker_connections 768;"]


@pytest.mark.parametrize("before", ["", "worker_rlimit_nofile 1024;\n"])
def test_done_again_nothing_changes(before: str) -> None:
    once = with_room(before + DEBIAN)
    assert with_room(once) == once
    assert once.count("worker_rlimit_nofile") == 1


def test_a_file_that_does_not_say_is_refused_with_what_to_write() -> None:
    with pytest.raises(ValueError, match=f"worker_connections .* with {CONNECTIONS}"):
        with_room("http { }\n")
