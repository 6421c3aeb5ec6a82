"""Which sentences say nothing of the film, and which lean on what is said elsewhere."""

import time

import pytest

from xemplar import report


@pytest.mark.parametrize(
    "sentence",
    [
        "Findings were communicated to Dr. ___ at 9:30 am on ___ by telephone.",
        "Dr. ___ was paged at 2:15 p.m. to discuss these findings.",
        "Findings discussed with Dr. ___ at 4 p.m. via phone.",
        "These findings were discussed by Dr. ___ with Dr. ___ by phone at 11:45 a.m. on ___.",
        "The study and the report were reviewed by the staff radiologist.",
        "Results were conveyed via telephone to Dr. ___ by Dr. ___ on ___ at 9:15 within 5 minutes.",
        "NOTIFICATION: as above",
        "PA and lateral chest views were obtained with patient in upright position.",
        "AP single view of the chest has been obtained with patient in semi-upright position.",
        "Analysis is performed in direct comparison with the next preceding similar study of ___.",
        "Comparison is made with prior study performed a day earlier.",
        "Comparison is made to the prior study from ___.",
        "Portable AP chest radiograph was obtained.",
        "Single frontal view of the chest.",
        "Semi-upright portable AP chest radiograph was provided.",
        "AP chest compared to ___ through ___:",
        "In comparison with the study of ___.",
        "Chest, two views.",
        "CHEST PA AND LATERAL",
        "I, the teaching physician, have reviewed the images and agree with the report as written.",
        "I have personally reviewed the images for this examination and agreed with the report.",
        "ATTENDING RADIOLOGIST AGREEMENT: I have personally reviewed the images",
        "Dictated by: ABC 01/02/2003",
        "This report was dictated with voice recognition software.",
        "Preliminary report was provided by Dr. ___.",
        "No prior chest radiographs available for comparison.",
        "None available.",
        "Followup chest radiograph in 4-6 weeks is recommended.",
        "Recommend short-term followup to ensure resolution.",
        "Repeat radiograph with PA and lateral views is recommended.",
        "Further evaluation with dedicated PA and lateral views could be obtained.",
        "Clinical correlation advised.",
        "Correlate clinically.",
        "Follow up as clinically indicated.",
        "These findings could be further assessed with chest CT if clinically warranted.",
        "CT chest is recommended for further assessment.",
        "Consider CT chest for further evaluation.",
        "Attention on followup is recommended.",
        "Thank you for the referral.",
        "Please see separately dictated CT report.",
        "See separate report.",
        "Telephone notification to Dr. ___ at 10:00.",
        "A wet read was provided by Dr. ___.",
        "Findings were entered into the critical results dashboard.",
        "The findings were telephoned to the ward.",
        "Results emailed to the ED QA nurses.",
        "Findings were posted to the ED dashboard.",
        "Discussed with ___ at 10 am.",
        "See above.",
        "See findings.",
        "FINDINGS:",
        "IMPRESSION:",
        "Same day.",
        "Electronically Signed By: Smith, John",
        "End of impression.",
        "Verified by: Dr. X",
        "Reported by: Dr A Smith",
        "Transcribed on 1/2/2003",
        "The referring physician was contacted.",
        "This was discussed with Dr. ___ at the time of interpretation.",
        "If further evaluation is desired, CT may be performed.",
        "Recommendation: CT.",
        "Recommend clinical correlation and repeat radiographs after diuresis.",
        "Nonemergent CT is recommended.",
        "Radiographs after treatment are recommended to document resolution.",
        "Dr. Smith was notified.",
        "XXXX.",
        "None.",
        "As above.",
        "PA and lateral views of the chest were obtained.",
        "Electronically signed by John Smith, MD",
    ],
)
def test_boilerplate(sentence):
    assert report.is_boilerplate(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Nodule which should be followed with CT.",
        "There is a nodule, CT recommended.",
        "Tubes and lines are in unchanged position.",
        "AP view of the chest shows low lung volumes.",
        "Lung volumes are low.",
        "Patient is rotated to the right.",
        "Chest is clear.",
        "Comparison to prior shows increased effusion.",
        "The previously noted opacity has resolved on this study.",
        "In comparison with the study of ___, there is little change.",
        "The right PICC has been removed.",
        "Findings are consistent with pulmonary edema.",
        "Findings may represent early pneumonia in the appropriate clinical setting.",
        "These findings are unchanged.",
        "This is unchanged.",
        "Study is limited by motion.",
        "No evidence of pneumonia.",
        "There is no effusion.",
        "Evaluation is limited by rotation.",
        "Right pneumothorax discussed with Dr. Smith.",
        "Heart size is normal.",
        "It is of note that the heart is enlarged.",
        "No radiographic evidence of acute disease.",
        "Repeat film shows clearing.",
        "Correlate opacity seen at the base with CT.",
        "ET tube should be advanced by 2 cm.",
        "ET tube is 2 cm above the carina; recommend withdrawal by 2 cm.",
        "Pulmonary edema should be considered.",
        "An early pneumonia cannot be excluded in the appropriate clinical setting.",
        "The above findings suggest edema.",
        "Read as pneumonia.",
        "Information limited; large effusion.",
        "Followed by clearing of the left base.",
        "CT shows nodules.",
        "Heart failure should be considered.",
        "Consider atelectasis or pneumonia.",
        "Right lower lobe nodule, recommend CT.",
        "Normal chest.",
        "Low lung volumes limit evaluation.",
        "Follow-up shows resolved effusion.",
    ],
)
def test_not_boilerplate(sentence):
    assert not report.is_boilerplate(sentence)


@pytest.mark.parametrize("part", ["a ", "the findings ", "XXXX ", "If a, ", "findings was ", "CT of the "])
def test_long_text_takes_no_long_time(part):
    began = time.perf_counter()
    report.is_boilerplate(part * 2000)
    report.compares_with_prior(part * 2000)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "sentence",
    [
        "Lines and devices as above.",
        "As above.",
        "See above.",
        "Bilateral effusions, as detailed above.",
        "Opacity (see below).",
        "Effusion as described.",
        "Otherwise as noted.",
        "The above findings are of uncertain cause.",
        "Above findings suggest edema.",
        "Tubes and lines, described above, are in place.",
        "The aforementioned effusion is small.",
        "See impression.",
        "Please see the separate CT report.",
        "Refer to the findings section.",
    ],
)
def test_a_sentence_that_points_elsewhere(sentence):
    assert report.points_elsewhere(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Endotracheal tube tip 4 cm above the carina.",
        "The nasogastric tube extends below the diaphragm.",
        "Opacity above the left hemidiaphragm.",
        "No acute findings.",
        "Findings are consistent with edema.",
        "Small effusion, such as after surgery.",
        "Opacity at the right base, seen on the lateral view.",
        "The heart is normal in size.",
    ],
)
def test_a_place_in_the_body_points_nowhere(sentence):
    assert not report.points_elsewhere(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Small right pneumothorax, discussed with Dr. ___ by telephone at 3 pm.",
        "Findings discussed with Dr. Smith.",
        "Pneumothorax was communicated to the ICU team.",
        "Right apical pneumothorax, which was called to Dr. ___ at 4:15 p.m.",
        "Dr. ___ was informed of the left pneumothorax by telephone.",
        "Dr. Jones aware of pneumothorax.",
        "The presence of a moderate effusion was reported to ___ at 10 am.",
        "Left effusion as discussed with the referring physician.",
        "Malpositioned ET tube; Dr. ___ paged at 2:10 a.m.",
        "Discussed the pneumothorax with nurse ___ on the phone.",
        "New consolidation. This was telephoned to the ED.",
        "Wet read: small pneumothorax.",
        "Left lower lobe pneumonia - d/w Dr. ___ 5:00pm.",
        "These findings including right pneumothorax were e-mailed to the ordering provider.",
        "Pneumothorax, findings relayed to team.",
        "A page was placed to Dr. ___ regarding the pneumothorax at 8:30.",
        "Right pneumothorax (results called to floor).",
        "Critical result: tension pneumothorax, notified XXXX at XXXX.",
        "Pneumothorax as described above.",
        "Recommend chest CT to evaluate right upper lobe nodule.",
        "I have personally reviewed the images and agree there is a small pneumothorax.",
        "Follow-up to document resolution of pneumonia is recommended.",
        "Clinical correlation for pneumonia is recommended.",
        "Dictated by Dr. A, small effusion.",
        "Pneumothorax was entered on the critical dashboard at 3 pm.",
        "Consider CT for further evaluation of left effusion.",
        "Evaluate for pneumonia.",
        "Question pneumonia, please correlate with physical exam.",
    ],
)
def test_a_finding_within_a_notice_or_advice_does_not_stand_alone(sentence):
    assert not report.stands_alone(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Small right pneumothorax.",
        "Heart size is mildly enlarged.",
        "There is a small left pleural effusion, called layering on the lateral view.",
        "No pneumothorax is reported.",
        "Calcified granuloma in the so-called azygos lobe.",
        "No evidence of pneumonia.",
        "Nodular opacity, likely calcified granuloma, 4 cm above the carina.",
        "PICC tip sent to the right atrium.",
        "Right lower lobe pneumonia and effusion.",
        "Lines are in place; no pneumothorax.",
        "The lungs are clear, reviewed on two views.",
        "ET tube enters the right mainstem bronchus.",
        "Low lung volumes with bibasilar atelectasis, no edema.",
        "Contact dermatitis clips over the right chest, no effusion.",
        "Posterior sulcus blunting provided by small effusions.",
        "Right IJ catheter tip at the SVC.",
    ],
)
def test_what_speaks_of_its_film_stands_alone(sentence):
    assert report.stands_alone(sentence)
