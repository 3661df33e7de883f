"""What a browser may do with a page that only shows something."""

# Nothing runs, nothing is fetched from elsewhere, and no address of a batch, which is its key, is passed on.
NOTHING_RUNS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
