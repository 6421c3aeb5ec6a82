"""What each kind of model does with a batch; the loop around them is one."""

from xemplar.training.learners.dual import DualLearner
from xemplar.training.learners.learner import Ground, Learner
from xemplar.training.learners.matcher import MatcherLearner


def learner_for(ground: Ground) -> Learner:
    """The learner of a recipe's kind of model."""
    return DualLearner(ground) if ground.recipe.matcher is None else MatcherLearner(ground)
