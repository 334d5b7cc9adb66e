"""What lessons let one play with, a module each; each says its matter as text where there are no widgets."""

from course_lib.lessons.sliders.chat import sql_chat as sql_chat
from course_lib.lessons.sliders.costs import cost_slider as cost_slider
from course_lib.lessons.sliders.labels import label_pairs as label_pairs
from course_lib.lessons.sliders.library import chunk_slider as chunk_slider
from course_lib.lessons.sliders.library import library_map as library_map
from course_lib.lessons.sliders.lora import lora_slider as lora_slider
