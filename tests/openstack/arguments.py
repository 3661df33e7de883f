"""The command lines of these tests."""


def up(web_tier: str, prefix: str = "lab-7", **options: str) -> list[str]:
    """The arguments of an `up` as a person would give them; an option is left out by an empty value."""
    given = {
        "prefix": prefix,
        "image-file": "image.raw",
        "public-key": "key.pub",
        "ssh-from": "192.0.2.0/24",
        "ready-url": web_tier,
        "ready-seconds": "60",
        "wheels-url": "https://wheels.example/",
    }
    given |= {name.replace("_", "-"): value for name, value in options.items()}
    return ["up", *(part for name, value in given.items() if value for part in (f"--{name}", value))]


DOWN = ["down", "--prefix", "lab-7"]
