"""The form that asks a person for a token, and the cookie that keeps it.

The cookie holds the token itself, so that revoking the token ends every session at once and there is nothing else to
keep here. No script reads it, no other site's page has it sent along, and under TLS it never goes out in clear.
"""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from flask import Response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from web_tier.browser_policy import FORMS_ONLY
from web_tier.problems import Problem, asks_for_page
from web_tier.tokens import Token

COOKIE = "novaburst_token"
# After so long a browser asks for the token again, in seconds.
_KEPT_SECONDS = 30 * 86_400


class SignInProblem(Problem):
    """No good token: a person gets the form, and is led on to the batch that was asked for."""

    def response(self) -> Response:
        """The form, or for a program the problem as any other."""
        if not asks_for_page():
            return super().response()
        batch = (request.view_args or {}).get("batch") or request.args.get("batch")
        return page(batch, status=self.status, headers=self.headers)


def page(
    batch: str | None, *, wrong: bool = False, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The form; `batch` is where it leads, and `wrong` says that the last token was no good one."""
    text = render_template("sign_in.html", batch=batch, wrong=wrong)
    return Response(text, status, {**(headers or {}), **FORMS_ONLY}, mimetype="text/html")


def cookie_token() -> str | None:
    """The token in the current request's cookie, if there is one."""
    return request.cookies.get(COOKIE) or None


def keep(response: BaseResponse, text: str, token: Token) -> None:
    """Have the browser keep the token, no longer than it is good."""
    left = _KEPT_SECONDS
    if token.expires is not None:
        left = min(left, int((token.expires - datetime.now(UTC)).total_seconds()))
    response.set_cookie(COOKIE, text, max_age=left, secure=_over_tls(), httponly=True, samesite="Strict")


def forget(response: BaseResponse) -> None:
    """Have the browser forget the token."""
    response.delete_cookie(COOKIE, secure=_over_tls(), httponly=True, samesite="Strict")


def _over_tls() -> bool:
    """Whether the browser reached us, or whatever stands before us, by TLS; its Origin knows of every proxy."""
    return request.is_secure or urlsplit(request.headers.get("Origin", "")).scheme == "https"
