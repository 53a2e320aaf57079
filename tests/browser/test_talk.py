"""The Talk tab, used by a person."""

import json
import time
import zipfile

from affetto.clip import Clip

MOST_STOP_S = 5  # on a busy machine


def test_an_example_talks_and_is_taken_home(tab, studio, tmp_path):
    talk = tab("Talk")
    talk.button("Sad, then hopeful").click()
    asked = talk.panel.get_by_label("What will be asked")
    talk.page.wait_for_function(
        "box => box.value.includes('4.2=happy')", arg=asked.element_handle()
    )
    started = time.monotonic()
    talk.button("Make it talk").click()
    assert "%" in talk.status("step")
    assert talk.status("done").startswith("Done: 5.2 s of film")
    print(f"a talking clip {time.monotonic() - started:.1f} s after the click")
    facts = talk.panel.locator(".s-table").first.inner_text()
    assert "Emotion seen" in facts
    command = talk.panel.locator(".s-line pre").inner_text()
    assert command.startswith("affetto talk mona_lisa.jpg mona_lisa_speaks.flac --emotion '0=sad")
    pack = talk.downloaded(talk.button("Download everything (zip)"), tmp_path)
    zipfile.ZipFile(pack).extractall(tmp_path)
    assert Clip.open(tmp_path / "talk.mp4").duration_s > 5
    recipe = (tmp_path / "recipe.json").read_text()
    assert json.loads(recipe)
    assert str(studio[1]) not in recipe


def test_a_face_of_ones_own_needs_consent_and_its_film_is_verified(tab, person):
    talk = tab("Talk")
    talk.hand_in("Photo or painting of a face", person / "me.jpg")
    talk.hand_in("What is said", person / "me.wav")
    talk.button("Make it talk").click()
    assert "consent" in talk.status("bad")
    talk.panel.get_by_label("I have the consent").check()
    talk.button("Make it talk").click()
    assert talk.status("done").startswith("Done: 1.0 s")
    film = talk.downloaded(talk.button("Download").first, person)
    verify = tab("Verify")
    verify.hand_in("An mp4 or wav file", film, instead=False)
    verify.button("Verify").click()
    assert "signed" in verify.status("done").casefold()
    whole = bytearray(film.read_bytes())
    whole[len(whole) // 2] ^= 255
    film.write_bytes(whole)
    verify.hand_in("An mp4 or wav file", film)
    verify.button("Verify").click()
    verify.page.wait_for_function("document.querySelector('.s-done.s-bad')")
    assert "changed" in verify.status("done").casefold()


def test_a_wrong_file_is_told_in_a_sentence(tab, tmp_path):
    (tmp_path / "me.jpg").write_text("not a picture")
    talk = tab("Talk")
    talk.panel.get_by_label("I have the consent").check()
    talk.hand_in("Photo or painting of a face", tmp_path / "me.jpg")
    talk.button("Make it talk").click()
    told = talk.status("bad")
    assert "me.jpg" in told
    assert "/" not in told.replace("me.jpg", "")
    assert talk.button("Make it talk").is_enabled()


def test_stop_stops_and_the_next_job_begins(tab, studio):
    talk = tab("Talk")
    talk.button("Make it talk").click()
    talk.status("step")
    talk.page.wait_for_timeout(3000)
    pressed = time.monotonic()
    talk.button("Stop").click()
    assert talk.status("idle").startswith("Stopped")
    assert time.monotonic() - pressed < MOST_STOP_S
    _, cache = studio
    talk.page.wait_for_timeout(1500)
    assert not list(cache.rglob("*.unfinished"))
    recognize = tab("Recognize")
    recognize.button("A face").click()
    recognize.panel.get_by_text("mona_lisa").wait_for()
    recognize.button("Recognize").click()
    recognize.status("done")


def test_a_timeline_is_edited(tab):
    talk = tab("Talk")
    talk.panel.get_by_label("Over time").check()
    asked = talk.panel.get_by_label("What will be asked")
    expected = "0=calm:0.6; 2.5=surprised:0.9; 4.5=happy:0.8"
    talk.page.wait_for_function("box => box.value.startsWith('0=calm')", arg=asked.element_handle())
    assert asked.input_value() == expected
    cell = talk.panel.get_by_role("gridcell", name="surprised").first
    cell.dblclick()
    talk.page.keyboard.press("Control+A")
    talk.page.keyboard.type("angry")
    talk.page.keyboard.press("Enter")
    talk.page.wait_for_function("box => box.value.includes('angry')", arg=asked.element_handle())
    assert asked.input_value() == expected.replace("surprised", "angry")
    talk.panel.get_by_text("angry, asked").wait_for()  # in the curve
    talk.button("Add a keyframe").click()
    talk.page.wait_for_function("box => box.value.includes('6.5=')", arg=asked.element_handle())
