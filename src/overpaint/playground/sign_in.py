"""The page that asks for a key: plain HTML, there before anything else is loaded."""

from html import escape
from string import Template

from overpaint.playground import assets
from overpaint.playground.wording import LANGUAGES, words_of

_PAGE = Template("""<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Overpaint · $sign_in</title>
<link rel="icon" href="$icon"><link rel="stylesheet" href="$style">
</head>
<body>
<main class="sign-in">
<img src="$icon" alt="" width="48" height="48">
<h1>Overpaint</h1>
<p>$lead</p>
<form method="post" action="?language=$language">
<label for="key">$label</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus
 spellcheck="false" aria-describedby="hint$described">
$problem
<p id="hint" class="hint">$hint</p>
<button type="submit">$sign_in</button>
</form>
<nav aria-label="$languages">$others</nav>
</main>
</body>
</html>
""")


def sign_in_page(language: str, *, is_wrong: bool = False) -> str:
    """The page in a language, with a word about the last try where it was no key of ours."""
    words = words_of(language)
    problem = f'<p id="problem" class="problem" role="alert">{escape(words["sign_in_wrong"])}</p>'
    others = (
        f'<a lang="{other}" hreflang="{other}" href="?language={other}">{name}</a>'
        for other, name in LANGUAGES.items()
        if other != language
    )
    return _PAGE.substitute(
        language=language,
        icon=f"../{assets.url_of('mark.svg')}",
        style=f"../{assets.url_of('sign-in.css')}",
        sign_in=escape(words["sign_in"]),
        lead=escape(words["lead"]),
        label=escape(words["api_key"]),
        hint=escape(words["sign_in_hint"]),
        languages=escape(words["language"]),
        others="".join(others),
        described=" problem" if is_wrong else "",
        problem=problem if is_wrong else "",
    )
