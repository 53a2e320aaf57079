"""Soundtrack, Recognize, Score and Verify, used by a person; see test_talk.py, too."""

import zipfile

import mido

from affetto.clip import Clip


def test_music_is_composed_and_taken_home(tab, tmp_path):
    soundtrack = tab("Soundtrack")
    soundtrack.button("Calm, fearful, hopeful").click()
    asked = soundtrack.panel.get_by_label("What will be asked")
    soundtrack.page.wait_for_function(
        "box => box.value.includes('6=fearful')", arg=asked.element_handle()
    )
    soundtrack.button("Compose").click()
    assert soundtrack.status("done").startswith("Done: music of 11.8 s")
    assert soundtrack.panel.locator("video:visible").count() == 2
    assert "LUFS" in soundtrack.panel.locator(".s-table").first.inner_text()
    pack = soundtrack.downloaded(soundtrack.button("Download everything (zip)"), tmp_path)
    zipfile.ZipFile(pack).extractall(tmp_path)
    assert abs(Clip.open(tmp_path / "film.mp4").duration_s - 11.8) < 0.1
    assert mido.MidiFile(tmp_path / "music.mid").length > 11


def test_no_film_and_a_wrong_film_are_told(tab, tmp_path):
    (tmp_path / "film.mp4").write_text("not a film")
    soundtrack = tab("Soundtrack")
    soundtrack.hand_in("The film", tmp_path / "film.mp4")
    soundtrack.button("Compose").click()
    assert "film" in soundtrack.status("bad")


def test_a_face_and_a_text_are_recognized(tab, person):
    recognize = tab("Recognize")
    recognize.button("A face").click()
    recognize.panel.get_by_text("mona_lisa").wait_for()
    recognize.button("Recognize").click()
    recognize.status("done")
    assert "face" in recognize.panel.locator(".s-table").first.inner_text()
    (person / "note.txt").write_text("What a wonderful day!")
    recognize.hand_in("A film, sound, picture or text (txt, srt, vtt)", person / "note.txt")
    recognize.button("Recognize").click()
    assert "consent" in recognize.status("bad")
    recognize.panel.get_by_label("I have the consent").check()
    recognize.button("Recognize").click()
    assert "happy" in recognize.status("done").casefold()
    names = [row.split()[0] for row in recognize.panel.locator(".s-files tr").all_inner_texts()]
    assert "plot" in names


def test_a_file_of_no_known_kind_is_told(tab, tmp_path):
    (tmp_path / "me.exe").write_bytes(b"MZ")
    recognize = tab("Recognize")
    recognize.panel.get_by_label("I have the consent").check()
    recognize.hand_in("A film, sound, picture or text (txt, srt, vtt)", tmp_path / "me.exe")
    recognize.button("Recognize").click()
    assert "me.exe" in recognize.status("bad")


def test_a_score_stands_beside_its_controls(tab):
    score = tab("Score")
    score.button("Score").click()
    assert "overlap" in score.status("done").casefold()
    assert "best other emotion" in score.panel.locator(".s-table").first.inner_text()
    score.panel.get_by_label("The emotion that was wanted").fill("hapy")
    score.button("Score").click()
    assert "hapy" in score.status("bad")


def test_a_film_that_was_never_signed_is_not_called_real(tab):
    verify = tab("Verify")
    verify.button("A film that was never signed").click()
    verify.panel.get_by_text("lantern_boat").wait_for()
    verify.button("Verify").click()
    assert verify.status("done")
    assert "does not mean" in verify.panel.inner_text()
