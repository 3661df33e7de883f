"""What a browser may do with a page.

No page passes the address of a batch, which is its key, on to another site. Pages with forms tell our own site where a
form was sent from: without that browsers call the origin of a form `null`, as they do for a stranger's.
"""

# Nothing runs, nothing is fetched from elsewhere, and nothing is sent.
NOTHING_RUNS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# The same, but that its forms may be sent, to us.
FORMS_ONLY = NOTHING_RUNS | {
    "Content-Security-Policy": NOTHING_RUNS["Content-Security-Policy"].replace(
        "form-action 'none'", "form-action 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Our own scripts run, and nothing inline; previews are blobs of the browser's own.
OWN_SCRIPTS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
