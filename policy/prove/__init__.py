"""Answers questions about a policy: with a proof, or with requests that the engine allows.

Z3 decides over a model that allows whatever the engine allows, and somewhat more: opening
hours and dates are left out, since they only take away. So a proof holds for the engine.
Of most actions on Ethereum chains the model has what payloads say and no more; what it
allows is written as payloads, which are decoded. The engine has the last word: where it
refuses all that was tried, the answer is neither.
"""

from policy.prove import sequence, single
from policy.prove.answer import Answer, Disproven, NotProven, Proven, Step
from policy.prove.questions import Question, load
from policy.rules import Policy

__all__ = ["Answer", "Disproven", "NotProven", "Proven", "Question", "Step", "load", "prove"]


def prove(policy: Policy, question: Question) -> Answer:
    """Answer one question.

    Raises:
        ImportError: the extra ``prove`` is not installed.
    """
    if question.window is None:
        return single.answer(policy, question)
    return sequence.answer(policy, question, question.window)
