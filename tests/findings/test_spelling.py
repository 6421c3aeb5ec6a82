"""Mistyped key words are read as they were meant, and nothing else is."""

import itertools
import re
import string
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from xemplar.findings import label_report, read_claims
from xemplar.findings.claims import claims_of
from xemplar.findings.cleaning import cut
from xemplar.findings.engine import read
from xemplar.findings.lexicon import lexicon
from xemplar.findings.spelling import spelling, words_of
from xemplar.sources.phantom.slips import slips

DATA = tomllib.loads(files("xemplar.findings").joinpath("lexicon.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def meant():
    mending = lexicon("default").spelling
    assert mending is not None
    return mending.meant


def distance(one, two):
    """Damerau-Levenshtein, restricted, by the whole table."""
    table = {(i, 0): i for i in range(len(one) + 1)} | {(0, j): j for j in range(len(two) + 1)}
    for i, j in itertools.product(range(1, len(one) + 1), range(1, len(two) + 1)):
        cost = one[i - 1] != two[j - 1]
        table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + cost)
        if i > 1 and j > 1 and one[i - 2 : i] == two[j - 2 : j][::-1]:
            table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(one), len(two)]


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("effuion", "effusion"),
        ("ffusion", "effusion"),
        ("effusio", "effusion"),
        ("efffusion", "effusion"),
        ("effusiion", "effusion"),
        ("effusipon", "effusion"),
        ("effusoin", "effusion"),
        ("feffusion", "effusion"),
        ("effudion", "effusion"),
        ("effusionw", "effusion"),
        ("effusinos", "effusions"),
        ("pnuemothorax", "pneumothorax"),
        ("pneumothrax", "pneumothorax"),
        ("cardiomegalyy", "cardiomegaly"),
        ("atelctasis", "atelectasis"),
        ("consolidaton", "consolidation"),
        ("opacitites", "opacities"),
        ("fractrue", "fracture"),
        ("noraml", "normal"),
        ("enlagred", "enlarged"),
        ("silhoutte", "silhouette"),
        ("cathter", "catheter"),
        ("pacemakre", "pacemaker"),
        ("edemaa", "edema"),
        ("eedam", None),
        ("withuot", "without"),
        ("unremarkble", "unremarkable"),
    ],
)
def test_one_error_is_mended_two_are_not(meant, typed, wanted):
    assert meant(typed) == wanted


def test_every_error_in_a_long_word_is_mended(meant):
    word, letters = "pneumoperitoneum", string.ascii_lowercase
    for at in range(len(word)):
        before, rest = word[:at], word[at:]
        typed = {before + rest[1:], before + rest[0] + rest, before + rest[1:2] + rest[:1] + rest[2:]}
        typed |= {before + new + rest[1:] for new in letters} | {before + new + rest for new in letters}
        assert {meant(one) for one in typed - {word}} - {word, None} == set()
        assert all(meant(one) == word for one in typed - {word} if not one.endswith(("ums", "umd")))


def test_what_is_mended_is_one_error_away_by_the_table(meant):
    typed = ["effuson", "effusns", "nodulse", "opacitiy", "pleurall", "calcifed", "mediastinm", "stenotomy"]
    typed += ["hydrothorrax", "emphysma", "exlcuded", "bilaterl", "oedmea", "effuusionn", "cardimegal"]
    keys = [word for word in words_of(_entries()) if len(word) >= 7] + DATA["spelling"]["also"]
    for word in typed:
        near = {key for key in keys if distance(word, key) == 1}
        assert meant(word) in (near or {None}), word


def _entries():
    found = []
    for table, lists in DATA.items():
        if table in ("spelling", "rules"):
            continue
        for one in lists.values():
            named = one.items() if isinstance(one, dict) else [("", one)]
            found += [
                e for name, entries in named if name in ("", "mentions", "doubtful", "names") for e in entries
            ]
    return found


WORDS = """
    infusion perfusion affusion diffusion hemithorax thoracotomy injection passive pleura trachea module
    plural enema hepatoma sequela lingual patent ventral avascular heard resolve resolves enlarging
    dilates fractures fracturing opacify effusions normals bronchitis internal
"""


@pytest.mark.parametrize("word", WORDS.split())
def test_a_word_that_is_one_is_left_alone(meant, word):
    assert meant(word) is None


def test_no_word_of_the_lexicon_is_taken_for_another(meant):
    assert {word for word in words_of(_entries()) if meant(word)} == set()


def test_every_look_alike_is_needed():
    rules = {**DATA["spelling"], "look_alikes": []}
    bare = spelling(_entries(), rules).meant
    alikes = DATA["spelling"]["look_alikes"]
    assert alikes == sorted(set(alikes))
    assert [word for word in alikes if bare(word) is None] == []


@pytest.mark.parametrize(
    "word", ["tubs", "lnes", "lins", "calr", "clera", "masss", "picx", "leat", "tbue", "drian"]
)
def test_short_words_are_never_mended(meant, word):
    assert meant(word) is None


# --- sentences -----


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("No pleural effuion or pneumothorax.", "No pleural effusion or pneumothorax."),
        ("Small left plueral efusion.", "Small left pleural effusion."),
        ("Heatr size is noraml.", "Heart size is normal."),
        ("THE CARDIAC SILHOUTTE IS ENLAGRED.", "The cardiac silhouette is enlarged."),
        ("Persistent edema withuot effusoin.", "Persistent edema without effusion."),
        (
            "Unchagned moderte atelctasis at the left base.",
            "Unchanged moderate atelectasis at the left base.",
        ),
        ("No displaced rib fractue, no opacites.", "No displaced rib fracture, no opacities."),
    ],
)
def test_a_mistyped_sentence_claims_what_it_meant(typed, clean):
    claims = read_claims(clean)
    assert claims
    assert [claim.meaning for claim in read_claims(typed)] == [claim.meaning for claim in claims]


@pytest.mark.parametrize(
    ("sentence", "spans"),
    [
        ("No pleural effuion or pneumothorax.", ["pleural effuion", "pneumothorax"]),
        ("Effusionn, edema; pnuemothoraxx and PNEUMOTHRAX", ["Effusionn", "edema", "PNEUMOTHRAX"]),
        ("(Cardiomegaley) wiht consolidtion.", ["Cardiomegaley", "consolidtion"]),
        ("Todayy the heartt, as sizee, is normmal now", ["heartt, as sizee, is normmal"]),
        ("İ effusiom.", ["effusiom"]),
    ],
)
def test_spans_point_into_the_text_as_typed(sentence, spans):
    assert [sentence[slice(*claim.span)] for claim in read_claims(sentence)] == spans


def test_a_reports_mentions_quote_it_as_typed():
    text = "Noraml heatr.\n\nSmall efusion. No pnuemothorax or consoldation."
    labels = label_report(text)
    assert [(one.observation, text[slice(*one.span)]) for one in labels.mentions] == [
        ("Cardiomegaly", "heatr"),
        ("Pleural Effusion", "efusion"),
        ("Pneumothorax", "pnuemothorax"),
        ("Consolidation", "consoldation"),
    ]
    assert labels.presences["Pleural Effusion"] == "present"
    assert all(one.sentence in text for one in labels.mentions)


def test_chexpert_reads_as_the_original_did():
    assert lexicon("chexpert").spelling is None
    assert label_report("Pleural effuion.", profile="chexpert").presences == {"No Finding": "present"}


def test_a_text_without_errors_comes_back_itself():
    mending = lexicon("default").spelling
    text = "no pleural effusion, xxxx and 3 mm nodule; the infusion port's tip"
    assert mending.mended(text) == (text, None)
    assert mending.mended(text)[0] is text


def test_the_phantoms_slips_are_read():
    clean = [
        "No pleural effusion or pneumothorax.",
        "There is a moderate left pneumothorax.",
        "Unremarkable cardiomediastinal silhouette.",
        "Bilateral interstitial opacities, consistent with pulmonary edema.",
    ]
    mistyped = [(one, slip) for one in clean for slip in slips(one)]
    assert len(mistyped) >= 6
    for one, slip in mistyped:
        if len(one.split()) == len(slip.split()):  # a missing blank is not mended
            assert {c.meaning for c in read_claims(slip)} == {c.meaning for c in read_claims(one)}, slip


@pytest.mark.shared
def test_sentences_of_real_reports_say_what_they_said(shared_data, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from labeler_halves import half_of, indexed_reports

    rows = indexed_reports(shared_data / "iu_reports").values()
    tuned = [row for row in rows if half_of(row["findings"], row["impression"]) == "tuning"]
    texts = [row[part] for row in tuned for part in ("findings", "impression")]
    sentences = {part.text for text in texts for part in cut(text)}
    assert len(sentences) > 4000
    words = lexicon("default")
    bare = replace(words, spelling=None)
    assert sum(_claims(one, words) != _claims(one, bare) for one in sentences) == 0


def _claims(sentence, words):
    scene = read(sentence, words)
    return [claim for at in range(len(scene.mentions) if scene else 0) for claim in claims_of(scene, at)]


# --- the words of entries -----


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("fibro(?:sis|tic)(?: scarring)?", {"fibrosis", "fibrotic", "scarring"}),
        ("(?:hydro|hemo)?pneumothora(?:x|ces)", None),
        ("metastas[ie]s", {"metastasis", "metastases"}),
        ("tumou?rs?", {"tumor", "tumors", "tumour", "tumours"}),
        ("(?:bi)?hil(?:um|ar)", {"hilum", "hilar", "bihilum", "bihilar"}),
        ("\\w+ly clear(?! of)", {"clear"}),
        ("(?<!pleural\\s)cavit(?:y|ies)", {"cavity", "cavities"}),
        ("(?:left |right )+base", {"left", "right", "base"}),
        ("not (?:\\w+ ){0,3}that", {"not", "that"}),
        ("tip(?= (?:in|at))", {"tip"}),
    ],
)
def test_the_words_of_an_entry(entry, words):
    found = words_of([entry])
    assert found == words if words else {"hydropneumothorax", "pneumothoraces"} <= found and len(found) == 6
    assert all(re.search(entry, f"{word} ") for word in found if " " not in entry and "\\" not in entry)


def test_an_entry_with_a_stray_bracket_is_told():
    with pytest.raises(ValueError, match="never opened"):
        words_of(["effusions?)"])
