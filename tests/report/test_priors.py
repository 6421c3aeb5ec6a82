"""Which sentences compare with an earlier film."""

import pytest

from xemplar import report


@pytest.mark.parametrize(
    "sentence",
    [
        "Unchanged left effusion.",
        "No interval change.",
        "Effusion has increased since the prior study.",
        "Compared with the previous radiograph, no effusion.",
        "Again seen is a granuloma.",
        "New right opacity.",
        "Stable cardiomegaly.",
        "Worsening edema.",
        "Improved aeration.",
        "The previously seen nodule is gone.",
        "Pneumothorax is no longer seen.",
        "Heart remains enlarged.",
        "No comparison available, but the effusion is new.",
    ],
)
def test_compares_with_prior(sentence):
    assert report.compares_with_prior(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "No comparison available.",
        "No prior studies are available for comparison.",
        "Comparison: None.",
        "None available for comparison.",
        "Comparison with prior films is recommended.",
        "Increased interstitial markings.",
        "Prior median sternotomy.",
        "Heart size is normal.",
        "No pleural effusion or pneumothorax.",
    ],
)
def test_does_not_compare(sentence):
    assert not report.compares_with_prior(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Effusion is decreasing.",
        "Scarring at the apex as before.",
        "The endotracheal tube has been removed.",
        "There has been clearing of the left base.",
        "The lungs are now clear.",
        "Continued elevation of the left hemidiaphragm.",
        "Recurrent right pneumothorax.",
        "In comparison with the study of ___, there is little change.",
        "AP chest compared to ___:",
        "Nodule seen on prior CT.",
        "This was not present on the previous exam.",
        "Little change since ___.",
        "Better aerated left lung.",
        "SIN CAMBIOS RESPECTO A ESTUDIO PREVIO",
        "Unveränderter Befund zur Voraufnahme.",
        "Stable par rapport au cliché précédent.",
        "Derrame pleural inalterado.",
        "Quadro invariato rispetto al precedente.",
        "Onveranderd beeld.",
    ],
)
def test_more_that_compare(sentence):
    assert report.compares_with_prior(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Bilateral effusions, left worse than right.",
        "Opacity is worse at the right base.",
        "Clips from prior cholecystectomy.",
        "Consistent with prior granulomatous disease.",
        "Recommend follow-up to ensure resolution.",
        "If symptoms persist, repeat the film.",
        "Short-interval follow-up is advised.",
        "Comparison with prior studies would be helpful.",
        "This may represent resolving or developing pneumonia.",
        "Right base opacity compared to the left.",
        "There has been prior sternotomy.",
        "Minimal degenerative change of the spine.",
        "In the absence of prior studies, CT is advised.",
        "New York Heart Association class II.",
        "No evidence of recurrence.",
        "Kein Pleuraerguss.",
        "Sin derrame pleural.",
    ],
)
def test_more_that_do_not_compare(sentence):
    assert not report.compares_with_prior(sentence)
