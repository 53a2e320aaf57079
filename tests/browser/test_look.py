"""The page at a desk and on a phone, in light and dark; pictures to look at go to runs/browser/."""

from pathlib import Path

import pytest

PICTURES = Path(__file__).parents[2] / "runs" / "browser"  # git ignores it
WIDTHS = {"desktop": 1280, "phone": 390}
# Of a role that a person acts on, shown, and nameless to whoever does not see it.
NAMELESS = """() => [...document.querySelectorAll('button, input, textarea, select, [role=slider]')]
    .filter(one => one.checkVisibility() && one.type !== 'file' && one.type !== 'hidden')
    .filter(one => !(one.getAttribute('aria-label') || one.getAttribute('title') || one.innerText
        || one.labels?.length || one.getAttribute('aria-labelledby') || one.querySelector('[alt]')))
    .map(one => one.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", WIDTHS)
def test_every_tab_fits_and_has_names(opened, device, scheme):
    page = opened(width=WIDTHS[device], height=900, color_scheme=scheme)
    PICTURES.mkdir(parents=True, exist_ok=True)
    nameless = []
    for name in page.get_by_role("tab").all_inner_texts():
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(500)
        page.screenshot(path=PICTURES / f"{device}_{scheme}_{name}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{name}: {wide} pixels too wide"
        nameless += page.evaluate(NAMELESS)
    assert not nameless


@pytest.mark.parametrize("device", WIDTHS)
def test_results_fit(opened, device):
    page = opened(width=WIDTHS[device], height=900, color_scheme="dark")
    for name, start in (("Recognize", "Recognize"), ("Score", "Score"), ("Soundtrack", "Compose")):
        page.get_by_role("tab", name=name).click()
        panel = page.locator("[role=tabpanel]:visible")
        panel.get_by_role("button", name=start, exact=True).click()
        panel.locator(".s-done").wait_for(timeout=180_000)
        page.wait_for_timeout(500)
        page.screenshot(path=PICTURES / f"{device}_result_{name}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_page_is_used_by_keyboard_alone(page):
    page.get_by_role("tab", name="Talk").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.innerText?.trim()"))
    assert "Compose" in reached
