# %% [markdown]
# Everything that a learner touches, on one page that needs no model: made a notebook by the tests, and run in Lab.

# %%
import time

import course_lib as cl
from course_lib.core.faults import say_one_sentence
from course_lib.core.progress import Progress, watch_cells
from course_lib.costs.prices import load_prices
from course_lib.display import playground, plots
from course_lib.display.telling import GOOD, AnswerTable, Told
from course_lib.lessons import choosing, letters, sliders
from course_lib.lessons.sql.task import SqlAnswer

say_one_sentence()
watch_cells()


def works(steps=40, seconds=0.1):
    with Progress("Working", steps) as bar:
        for _ in range(steps):
            time.sleep(seconds)
            bar.advance()
    return f"{steps} steps are done."


class Writer:
    def ask(self, request, today=None):
        return SqlAnswer(f"SELECT 1 -- {request}", ("n",), ((1,),), confidence=0.9, tokens=(("SELECT", 0.9),))


# %% [markdown]
# # Every kind
#
# A run costs <span>\$</span>500 to <span>\$</span>2,000. What that means stands in the [glossary](glossary.md).

# %%
cl.predict("number", "Right answers of 40", low=0, high=40)

# %%
cl.reveal("number", 12)

# %%
cl.predict_choice("choice", "It is", ["worse", "as good", "better"])

# %%
cl.reveal("choice", "better")

# %%
if "seen" in globals():  # long enough to be interrupted, when it is run again
    works(400)
seen = True

# %%
time.sleep(4)  # nothing in it has a bar

# %%
choosing.advisor()

# %%
sliders.cost_slider(load_prices(allow_old=True))

# %%
sliders.label_pairs(letters.load_preferences("train"), n=3)

# %%
sliders.sql_chat(Writer())

# %%
controls = {"size": ((20, 40, 80), 80), "overlap": ((0, 10, 20, 40), 0)}
less = {"bounds": lambda size, _: {"overlap": [n for n in (0, 10, 20, 40) if n < size]}}
panel = playground.panel(
    controls, lambda *values: f"cut at {values}", 2, press=("Work", "...", lambda *_: works()), **less
)
playground.show(lambda: panel, "Move size and overlap.")

# %%
AnswerTable([Told("✓", "right", GOOD, "Who baked the bread?", "The baker did. " * 20, "the baker")], more=3)

# %%
cl.verdict("three is more than two", 3, above=2)

# %%
cl.say("{share:.0%} of **all** answers are right, for $5 or $6", share=0.4)

# %%
plots.bars([("a long name of a student", 0.4, 0.3, 0.5), ("another", 0.8, 0.7, 0.9)], "Right answers")

# %%
cl.quiz("00")
