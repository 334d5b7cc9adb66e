# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · RAG taken apart
#
# An answer is wrong. Whose fault is it: the librarian's, who fetched the wrong page, the shelf's, or the reader's? Until you know, you cannot mend it.
#
# By the end you will have
# - taken a RAG system into its three parts, graded each by itself, and found which one fails;
# - trained the part that finds, in a minute or two, and seen what that buys;
# - broken the whole in six ways, and mended those that can be mended;
# - looked for a deleted secret in the bytes of a database.
#
# **Time** 80 minutes; the machine works for about 3 of them (2 cores). **Before this** lesson 02.
#
# **Claims on trial** from the course's sources: *quality of answers depends on how good the retrieval is* · *old or poor documents give wrong answers* ·
# *RAG keeps sensitive data separate* · *it can take longer to answer because it has to search first* · *a larger context costs latency and tokens* ·
# *vector databases search quickly*.

# %% tags=["setup", "nbval-ignore-output"]
# @title Run this cell first (Shift+Enter)
import importlib.util
import subprocess
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("course_lib") is None:  # once, some minutes
    clone = "test -d course || git clone -q --depth 1 https://github.com/open-book-closed-book/course course"
    subprocess.run(clone, shell=True, check=True, cwd="/content")
    sys.path.append("/content/course/notebooks")
    import in_colab  # installs what is missing, removes what our libraries refuse, and says so

    in_colab.install()
import course_lib as cl

session = cl.start()

# %% [markdown]
# ## Three parts
#
# | part | its job | here |
# |---|---|---|
# | **retriever** | turns a question into something that can be looked up | an *embedding model*: text in, 384 numbers out (a *vector*) |
# | **vector store** | keeps passages by their vectors, finds the nearest | Chroma, in a folder on disk |
# | **generator** | reads what was found, and answers | the language model that you know |
#
# The library of the Merrow Isles is cut into passages, each becomes a vector, and those go into the store.

# %% tags=["nbval-ignore-output"]
gp = cl.load_model()
index = cl.build_index("data/library")
cl.say(f"{len(index)} passages from {len(index.store.digests())} documents.")

# %% [markdown]
# The `RagPipeline` of lesson 02 is these four lines. Each can be exchanged for another, and this lesson does so.

# %% tags=["nbval-ignore-output"]
question = "For how many weeks does the 2042 sick leave policy keep me on full pay?"
vector = index.embed([question])[0]           # the retriever: (384,)
passages = index.store.query(vector, 2)       # the vector store: the two nearest
prompt = cl.reading_prompt(question, passages)
answer = gp.reply([prompt], 24)[0]            # the generator
print(prompt, "\n\n→", answer.text)

# %% [markdown]
# Is that really all? Then pipeline and four lines must say the same.

# %% tags=["nbval-ignore-output"]
ready_made = cl.RagPipeline(gp, index, k=2).ask(question, 24).text
cl.verdict("a RAG pipeline is its three parts and nothing else",
           ready_made == answer.text)

# %% [markdown]
# ## Numbers that can be seen
#
# 384 dimensions cannot be drawn. Here are the two in which the library is most spread out (its *principal components*). The star is your question.

# %% tags=["nbval-ignore-output"]
from course_lib.lessons import sliders

sliders.library_map(index, [question])

# %% [markdown]
# Football keeps to itself, and so do the products. Where did the question land? But the map is only a shadow: how much of the spread do two dimensions keep?

# %% tags=["nbval-ignore-output"]
from sklearn.decomposition import PCA

shares = PCA(2).fit(index.store.vectors()).explained_variance_ratio_
cl.say(f"Two dimensions keep {shares.sum():.0%} of the spread.")

# %% [markdown]
# So nearness on the map is a hint. The search uses all 384.
#
# ## Where to cut
#
# Short passages are found precisely and say little; long ones say more, and blur. Move the sliders: *size* is the
# largest passage in tokens, *overlap* how much of it may repeat the one before. The nearest passage lights up. The next cell does it without sliders, for two sizes.

# %%
documents = {document.id: document for document in cl.read_documents("data/library")}
policy = documents["hb-sick-leave-2042"]
sliders.chunk_slider(index, policy, question)

# %% tags=["nbval-ignore-output"]
for size in (20, 160):
    sliders.chunk_slider(index, policy, question, size=size)

# %% [markdown]
# At 20 tokens a sentence stands alone; at 160 the nearest passage holds much that was not asked. Over the whole exam, measured beforehand:
# `recall@4` is the share of questions for which one of the first four passages holds the whole sentence that answers; `tokens@4` is what those four cost to read.

# %%
import pandas as pd

stored = cl.load_results("05")
cuts = pd.DataFrame.from_dict(stored["chunks"], orient="index").rename_axis("size")
cuts.drop(columns="settings").round({"recall@1": 2, "recall@4": 2, "tokens@4": 0})

# %% [markdown]
# Recall rises with size, and the bill rises faster; beyond 160 tokens only the bill does. Overlap bought nothing here, as our
# sentences name their subject; prose that says "it" for a page needs it more. The course takes 80 tokens without overlap.
#
# ## The store: add, change, delete, filter
#
# A store is a folder. We make a small one, for the guidelines of the Isles Health Board.

# %% tags=["nbval-ignore-output"]
import tempfile
from pathlib import Path

from course_lib.retrieval import stores

folder = Path(tempfile.mkdtemp())
ward = cl.Index(index.embedder, stores.ChromaStore(folder))
ward.add(*cl.read_documents("data/library/guidelines"))
files = sorted(path.name for path in folder.iterdir() if path.is_file())
cl.say(f"{len(ward)} passages, in the file {', '.join(files)}.")

# %% [markdown]
# **Add** is `add`; **change** is `add` again, under the same id; **delete** is `remove`.

# %% tags=["nbval-ignore-output"]
line = "Who answers the Skerrin cough line?"
for name in ("Dr Philippa Stanchworth", "Dr Emrys Quayholm"):
    text = f"The Skerrin cough line for clinicians is answered by {name}."
    ward.add(cl.Document("gl-line", "The Skerrin cough line", text, "2042-04-14",
                         "guidelines", "clinicians"))
    print("found:", ward.search(line, k=1)[0].text)
ward.remove("gl-line")
print("after its removal the nearest page is", ward.search(line, k=1)[0].source)

# %% [markdown]
# A **filter** keeps a search to what someone may read, or to what is still true. `filters.only` writes it in Chroma's own form:

# %%
from course_lib.retrieval import filters

print(filters.only(audience=["public", "clinicians"], since="2042-01-01"))

# %% [markdown]
# ### Lab · The guideline that changed last month
# A doctor asks without naming an edition. The library holds two.

# %% tags=["nbval-ignore-output"]
dose = "How much ostrivane does an adult with Skerrin cough take each time?"
wheres = {"everything": None, "since 2042": filters.only(since="2042-01-01")}
for name, where in wheres.items():
    first = ward.search(dose, 1, where)[0]
    said = cl.RagPipeline(gp, ward, k=1, where=where).ask(dose, 24).text
    print(f"{name}: {first.source}\n   {first.text}\n   → {said}\n")

# %% [markdown]
# With the filter the old dose cannot come. Without it nearness decides, and nearness knows no calendar.

# %% tags=["nbval-ignore-output"]
found = ward.search(dose, 9, filters.only(since="2042-01-01"))
editions = {passage.source for passage in found
            if passage.source.startswith("gl-skerrin-cough-")}
cl.verdict("with a filter by date only the new guideline is found",
           editions == {"gl-skerrin-cough-2042"})

# %% [markdown]
# ### Exercise 1 · What may she read?
# A colleague at Brindlecombe asks the whole library. She may read what is for the `public` and for `staff`, and wants only what is dated 2042. Write the filter.

# %% tags=["exercise"]
where = None  # filters.only(...)
cl.check("05-filter", where, passages=index.passages())

# %% tags=["solution"]
where = filters.only(audience=["public", "staff"], since="2042-01-01")
cl.check("05-filter", where, passages=index.passages())

# %% [markdown]
# ## Another store behind the same three calls
#
# Chroma searches by HNSW, a graph that leads from neighbour to neighbour: quick, and not always right. FAISS, used plainly, compares the question with *every* vector: exact.
# An index asks only `add`, `delete` and `query` of its store, so one can take the place of the other. Pinecone and Weaviate can, too, with an account or a server of your own:
#
# ```python
# index = cl.build_index(store=PineconeStore("merrow"))  # from course_lib.retrieval.pinecone_store
# index = cl.build_index(store=WeaviateStore("Merrow"))  # from course_lib.retrieval.weaviate_store
# ```
#
# Our tests run these two against stand-ins; the services themselves we have not run.

# %% tags=["nbval-ignore-output"]
from dataclasses import replace

exact = cl.Index(index.embedder, stores.FaissStore())
exact.store.add(index.passages(), index.store.vectors(), [""] * len(index))
asked = [q.question for q in cl.load_exam("library").sample(64)]
pairs = zip(index.search_many(asked, 4), exact.search_many(asked, 4))
alike = sum(len({p.id for p in a} & {p.id for p in b}) for a, b in pairs)
agreed = alike / (4 * len(asked))
cl.say(f"Of what the exact search finds in our library, Chroma finds {agreed:.1%}.")

# %% [markdown]
# ### Exercise 2 · A store of your own
# Write a class with these three calls. `add` gets passages, their vectors (of length one: `vector @ other` says how near two are) and digests, which you may ignore; `delete` gets
# ids of documents; `query` gives the k nearest passages, best first, each with its `score` (`replace(passage, score=...)`, imported above). Nine lines will do.

# %% tags=["exercise"]
store = None  # an object of your class
cl.check("05-store", store, passages=index.passages()[:200],
         vectors=index.store.vectors()[:200], asked=vector)

# %% tags=["solution"]
class Shelf:
    def __init__(self):
        self.rows = []

    def add(self, passages, vectors, digests):
        self.rows += zip(passages, vectors)

    def delete(self, sources):
        self.rows = [row for row in self.rows if row[0].source not in sources]

    def query(self, vector, k, where=None):
        graded = (replace(p, score=float(row @ vector)) for p, row in self.rows)
        return sorted(graded, key=lambda passage: -passage.score)[:k]

# %% tags=["solution"]
cl.check("05-store", Shelf(), passages=index.passages()[:200],
         vectors=index.store.vectors()[:200], asked=vector)

# %% [markdown]
# ### Which is quicker?
# The graph was invented so that one need not look at everything. Three compete, each in its library's own calls: FAISS with exact
# search, FAISS with the graph, and Chroma, a database around the same graph. Which answers soonest in our library? (Compare ratios; the milliseconds are your machine's.)

# %% tags=["nbval-ignore-output"]
import chromadb
import faiss

held, vectors = index.store.vectors(), index.embed(asked)
flat = faiss.IndexFlatIP(held.shape[1])  # compares with every vector
graph = faiss.IndexHNSWFlat(held.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
# 16 neighbours each, as Chroma has; 200 looked at, while building and searching
graph.hnsw.efConstruction = graph.hnsw.efSearch = 200
flat.add(held)
graph.add(held)
quiet = chromadb.Settings(anonymized_telemetry=False)
client = chromadb.PersistentClient(str(index.store.path), quiet)
collection = client.get_collection("passages", embedding_function=None)

# %% tags=["nbval-ignore-output"]
import time
from statistics import median

contest = {"exact (FAISS)": lambda v: flat.search(v[None], 10),
           "HNSW (FAISS)": lambda v: graph.search(v[None], 10),
           "HNSW (Chroma)": lambda v: collection.query(
               query_embeddings=[v], n_results=10, include=[])}
taken = {name: [] for name in contest}
for each in vectors:
    for name, search in contest.items():
        started = time.perf_counter()
        search(each)
        taken[name].append(1000 * (time.perf_counter() - started))

# %% tags=["nbval-ignore-output"]
middle = {name: median(each) for name, each in taken.items()}
pd.DataFrame({"milliseconds a question": middle,
              "times exact": {name: each / middle["exact (FAISS)"]
                              for name, each in middle.items()}}).round(3)

# %% [markdown]
# And as a library grows? Measured beforehand in one run on one machine, of each question the fastest of several rounds. The vectors are mixtures of our
# own, so that they lie much as texts do. `recall` is the share of the exact ten that are found, `ef` how many vectors the graph looks at.

# %%
sizes = {(n, way): row for n, ways in stored["stores"].items()
         for way, row in ways.items() if way != "settings"}
pd.DataFrame.from_dict(sizes, orient="index")

# %% [markdown]
# The time of exact search grows with the library. The graph's hardly does, but it has to be *built*, and what it misses depends on how far it looks.

# %% tags=["nbval-ignore-output"]
times = {(n, way): row["times exact"] for (n, way), row in sizes.items()}
found = {ef: sizes["50,000", f"HNSW (FAISS), ef {ef}"]["recall"] for ef in (10, 100)}
cl.say(f"Of what it should find among 50,000, the graph finds {found[10]:.1%} with "
       f"ef 10, {found[100]:.1%} with ef 100.")
cl.verdict("the graph answers sooner than exact search among ten thousand "
           "(times as long)", times["10,000", "HNSW (FAISS), ef 100"], below=1)
for n in ("10,000", "50,000"):
    cl.verdict("Chroma with that graph answers sooner than exact search "
               f"among {n} (times as long)", times[n, "HNSW (Chroma), ef 100"], below=1)

# %% [markdown]
# Among a thousand vectors the graph saves nothing, unless it may miss some. Among ten thousand and more it saves most of the time, for the price of building it and of what it misses. Most of Chroma's time is what
# the database does around the search, at every size: so it overtakes exact search later than its graph does. It earns its keep with its filters, its files and its many users.
#
# ## The librarian's exam
#
# First we grade the *finding* alone. Of each question of the library exam we know the one passage that holds its fact:
# - **recall@k**: in what share of questions is it among the first k?
# - **MRR** (mean reciprocal rank): 1 if it came first, 1/2 if second, and so on; the mean.
# - **nDCG@10**: the same idea, less harsh on a second place.
#
# Three librarians sit this exam. **Dense** search goes by meaning: the nearest vector. **Keyword** search goes by words: BM25 counts those that question and passage
# share, rare ones most. **Hybrid** search asks both and joins their rankings. Who puts the right passage first most often?

# %%
from course_lib.retrieval.words import HybridIndex, KeywordIndex

exam = cl.load_exam("library")
golden = cl.golden_passages(exam, index)
words = KeywordIndex(index)
both = HybridIndex(index, words)
librarians = {"keyword": words, "dense": index, "hybrid": both}

# %% tags=["nbval-ignore-output"]
from course_lib.retrieval.ranking import compare_rankings

rankings = {name: cl.grade_retrieval(librarian, exam, golden, name=name)
            for name, librarian in librarians.items()}
compare_rankings(rankings.values())

# %% [markdown]
# Look at the intervals before you believe an order; better still, compare question by question:

# %% tags=["nbval-ignore-output"]
for other in ("keyword", "dense"):
    cl.verdict("hybrid search puts the right passage first more often than "
               f"{other} search",
               rankings["hybrid"].within(1) - rankings[other].within(1))

# %% [markdown]
# ### Each has a question of its own
# An average hides who is good at what. Two kinds of question:
# - by a **code**: somebody reads HB-158 on a form and asks what that is. The library knows; the question holds nothing but the code.
# - in **other words**: questions of the exam that share at most half of their words with the passage that answers them.

# %%
from course_lib.retrieval.grounding import lookup_questions, shared_words

codes = [q for q in lookup_questions(cl.load_facts(), index.passages())
         if q.kind == "code"]
pages = {q.question: [p for p in index.passages() if q.question[8:-1] in p.searched]
         for q in codes}  # between "What is " and "?"
shared = {q.id: shared_words(q.question, golden[q.question][0].searched) for q in exam}
other = [q for q in exam if shared[q.id] <= 0.5]
cl.say(f"{len(codes)} by a code: *{codes[0].question}*")
cl.say(f"{len(other)} in other words: *{other[0].question}*")

# %% [markdown]
# **Predict:** of 100 questions by a code, in how many does the *dense* search put the right passage first?

# %%
cl.predict("codes", "Right passage first, dense search, in per cent", low=0, high=100)

# %% tags=["nbval-ignore-output"]
on_codes = {name: cl.grade_retrieval(librarian, codes, pages, name=f"codes: {name}")
            for name, librarian in librarians.items()}
in_other_words = {name: ranking.where(lambda q: shared[q.id] <= 0.5)
                  for name, ranking in rankings.items()}
cl.reveal("codes", on_codes["dense"].within(1))
compare_rankings([*on_codes.values(), *in_other_words.values()])

# %% [markdown]
# To an embedding model a part number is a rare scrap of letters. To BM25 it is the rarest of words, and so the best. Where the words differ, it is the other way round.

# %% tags=["nbval-ignore-output"]
cl.verdict("of codes, keyword search finds more than dense search",
           on_codes["keyword"].within(1) - on_codes["dense"].within(1))
cl.verdict("in other words, dense search finds more than keyword search",
           in_other_words["dense"].within(1) - in_other_words["keyword"].within(1))

# %% [markdown]
# ### Exercise 3 · Join two rankings
# A cosine (how near two vectors are) and a BM25 score cannot be added. *Reciprocal rank fusion* adds what they have in common, the ranks: each search gives a
# passage 1 / (60 + rank), the first rank being 1, and nothing to one that it did not find. Two searches found these, best first. Put the joined ranking in order.

# %%
by_word = ["HB-158", "HB-112", "clinic"]
by_sense = ["physio", "HB-112", "HB-158", "relapse"]
print("keyword:", by_word)
print("dense:  ", by_sense)

# %% tags=["exercise"]
order = None  # a list of the five names, best first
cl.check("05-fuse", order, rankings=[by_word, by_sense])

# %% tags=["solution"]
scores = {name: sum(1 / (60 + ranking.index(name) + 1)
                    for ranking in (by_word, by_sense) if name in ranking)
          for name in [*by_word, *by_sense]}
order = sorted(scores, key=lambda name: -scores[name])
cl.check("05-fuse", order, rankings=[by_word, by_sense])

# %% [markdown]
# The usual next step is a *reranker*: a second model that reads question and passage together, for the first thirty only, and orders them anew.
# None comes as a package for a laptop without a network, so none is measured here.
#
# ## Train the librarian
#
# The embedding model is far smaller than the generator, and can be trained too: on pairs of a question and its
# passage, so that the two come to lie close together. To tell the right passage from its look-alikes, each pair gets a *hard negative*: the best-ranked passage that is
# **not** the answer.

# %% tags=["nbval-ignore-output"]
from course_lib.evaluation.exams import questions_of
from course_lib.retrieval import embedder

facts = cl.load_facts("reading")  # facts of documents that no exam asks about
asked = [q for fact in facts for q in questions_of(fact, "study")[:1]]
right = cl.golden_passages(cl.Exam("study", tuple(asked), facts=tuple(facts)), index)
study = embedder.hard_negatives(asked, index, right)
print(study[0].question, "\n\nright:", study[0].positive)
print("\nlooks right:", study[0].negative)
in_exams = {q.source for name in ("library", "cup") for q in cl.load_exam(name)}
learned = in_exams & {q.source for q in asked}
cl.say(f"Of {len(in_exams)} examined documents it learns from {len(learned)}.")

# %% [markdown]
# **Predict:** after two rounds over these few hundred pairs, how many of the exam's questions will find their passage first? The exam asks about *other* documents than those it learns from.

# %%
cl.say(f"Before: {rankings['dense'].recall(1):.0%} of {rankings['dense'].n}.")
cl.predict("trained", "Right passage first, in per cent", low=0, high=100)

# %% [markdown]
# This is the longest cell of the lesson. While it runs: the model has to choose the right passage among all passages of a batch. What can it learn from that about documents that it never sees?

# %% tags=["nbval-ignore-output"]
tuned = embedder.finetune_embedder(study, index.embedder, epochs=2,
                                   learning_rate=5e-5, batch_size=32)
trained = cl.Index(tuned, stores.FaissStore())
trained.add(*documents.values())
after = cl.grade_retrieval(trained, exam, golden, name="dense, trained")
cl.reveal("trained", after.within(1))
cl.plots.losses({"embedding model": tuned.losses}, "Learning to find")

# %% [markdown]
# Every passage had to be embedded anew: an index belongs to its embedding model, and `build_index` refuses one of another.

# %% tags=["nbval-ignore-output"]
gain = after.within(1) - rankings["dense"].within(1)
cl.say(f"Your librarian, in documents that it never saw: {gain}.")

# %% [markdown]
# That is one training. Three are stored, of three seeds, on three exams. In the exam about the cup the untrained model is lost: 28 reports of finals read alike.

# %% tags=["nbval-ignore-output"]
three, runs = ("library", "handbook", "cup"), stored["embedder"]["runs"]
whens = ("before", "after", "hybrid, after")
first = [{"exam": name, "seed": run["seed"],
          **{when: run[name][when]["recall@1"][0] for when in whens}}
         for name in three for run in runs]
for name in three:
    cl.verdict(f"every trained librarian finds more in the {name} exam",
               f"05/embedder/runs/*/{name}/after minus before")
behind = [name for name in three if all(row["hybrid, after"] < row["after"]
                                        for row in first if row["exam"] == name)]
cl.say("Exams in which hybrid search now finds fewer than dense search, in every seed: "
       f"{', '.join(behind) or 'none'}.")
pd.DataFrame(first).round(2).set_index(["exam", "seed"])

# %% [markdown]
# Where dense search has become good, keyword search only pulls it down; on the cup, where it is still poor, the two together are better.
#
# What did it learn? Not the documents, which it never saw, but *how this library asks and answers*: that the year matters, that
# "who had the whistle" is the referee.
#
# ## The reader's exam
#
# Now let somebody read: forty questions, hybrid search, one passage, then four.

# %% tags=["nbval-ignore-output"]
forty = exam.sample(40)
one = cl.evaluate(cl.RagPipeline(gp, both, k=1), forty, "RAG, k = 1")
four = cl.evaluate(cl.RagPipeline(gp, both, k=4), forty, "RAG, k = 4")
cl.compare({"k = 1": one, "k = 4": four}, forty)

# %% [markdown]
# An answer can fail in two ways: the passage was not there, or it was there and was not read. We sort the answers of k = 1 by that. How many are right *without* the right passage?

# %% tags=["nbval-ignore-output"]
from course_lib.retrieval.ranking import by_hit

for name, part in by_hit(one, golden).items():
    cl.say(f"Where the page was {'there' if name == 'hit' else 'missing'}, "
           f"{part.accuracy:.0%} of {part.n} answers are right.")

# %% [markdown]
# *Quality of answers depends on how good the retrieval is*, say the sources. Forty questions have few misses; here are two hundred:

# %% tags=["nbval-ignore-output"]
rag = stored["answers"]["rag"]
table = {name: {"right": row["accuracy"], "right, page found": row["hit"]["accuracy"],
                "right, page missing": row.get("miss", {}).get("accuracy"),
                "pages missing": row.get("miss", {}).get("n", 0)}
         for name, row in sorted(rag.items())}
alone = stored["answers"]["right page"]
cl.say(f"{alone['n']} questions; with the right page alone {alone['accuracy']:.0%} of "
       "the answers are right.")
cl.verdict("without the right passage at most a fifth of the answers are right",
           "05/answers/rag/hybrid, k = 1/miss", below=0.2)
pd.DataFrame.from_dict(table, orient="index").round(2)

# %% [markdown]
# A reader needs the page. But even with the page open many answers are wrong, and no search can mend that.
#
# ### Found, and read
# Look at the first column: at k = 1 keyword, dense and hybrid search *answer* alike, though hybrid search *finds* more. Why? A question ends in one of three ways. (The larger students were asked half of these questions.)

# %% tags=["nbval-ignore-output", "hide-input"]
# @title Found, and read: by each way to search, and by each student
from course_lib.evaluation import kept
from course_lib.retrieval.ranking import cascade

read = {way: kept.runs(f"05/answers-{way}-k-1", f"RAG, {way}")
        for way in ("keyword", "dense", "hybrid", "trained")}
bars = {f"{way}, 135M": runs.reports[0] for way, runs in read.items()}
by_size = cl.stored("05/library")
for who in ("qwen-0.5b", "qwen-1.5b"):
    for way in librarians:
        bars[f"{way}, {who}"] = by_size[f"{way} RAG, k = 1", who].reports[0]
asked_of = " or ".join(str(n) for n in sorted({report.n for report in bars.values()}))
cl.plots.stacked({name: cascade(report, golden) for name, report in bars.items()},
                 f"Found, and read: RAG with one passage, n = {asked_of}")

# %% [markdown]
# Right is what is found *times* what is read of it. And the pages that only hybrid search finds: are they read as well as the others?

# %% tags=["nbval-ignore-output"]
def found_by(way):
    """The questions whose page it found, each with its row."""
    return {row.id: row for row in read[way].reports[0].rows
            if golden[row.question][0].id in row.sources}


by_hybrid, by_dense = found_by("hybrid"), found_by("dense")
more = [row for id, row in by_hybrid.items() if id not in by_dense]
fewer = len(by_dense.keys() - by_hybrid.keys())
good, usual = (sum(row.verdict in ("exact", "right") for row in rows)
               for rows in (more, by_dense.values()))
cl.say(f"Hybrid search finds {len(more)} pages that dense search does not, and loses "
       f"{fewer} that dense search has. Of the {len(more)} new ones {good} are "
       f"answered right, of the {len(by_dense)} that dense search finds {usual}.")

# %% tags=["nbval-ignore-output"]
cl.verdict("with hybrid search more is answered than with dense search",
           read["hybrid"] - read["dense"])

# %% [markdown]
# A few pages more, times a reader who loses most of them: less is left than so few questions can show. A reader who loses fewer has more of them:

# %% tags=["nbval-ignore-output"]
cl.verdict("with hybrid search the largest student answers more than with dense search",
           by_size["hybrid RAG, k = 1", "qwen-1.5b"]
           - by_size["dense RAG, k = 1", "qwen-1.5b"])

# %% [markdown]
# To answer more with *our* reader, the search has to gain far more. The trained one did:

# %% tags=["nbval-ignore-output"]
cl.say(f"One stored librarian, trained: {read['trained'] - read['hybrid']}.")

# %% [markdown]
# That is a single trained librarian: a promise, and no verdict on how others would do.
#
# ### Faithful, or invented?
# A wrong answer may be made of the page's own words (it read badly) or of nobody's (it invented). We call an answer *faithful* if every name and number in it stands in what it was shown.

# %% tags=["nbval-ignore-output"]
grounding = cl.ground(four, index.passages(), golden)
cl.say(f"Of {grounding.n} answers {grounding.faithful:.0%} are faithful, and "
       f"{grounding.cited_right:.0%} cite the right passage. Called invented:")
for row in [row for row in grounding.rows if not row.faithful][:3]:
    print(f"{row.row.question}\n   said: {row.row.reply}\n   "
          f"cites {row.cited or 'nothing'}; right: {row.row.expected}\n")
grounding.table()

# %% [markdown]
# The *citation* is the shown passage that holds most of the answer's words beyond the question's. (Replies are cut after a couple of dozen tokens; half a word at the end counts for the one that it begins.)
#
# Are the *right* answers faithful? Of the stored ones, these are not:

# %% tags=["nbval-ignore-output"]
at_k = {k: kept.runs(f"05/answers-hybrid-k-{k}", f"RAG, k = {k}") for k in (1, 4)}
told = cl.ground(at_k[4].reports[0], index.passages(), golden)
right = [row for row in told.rows if row.right]
strays = [row.row for row in right if not row.faithful]
cl.say(f"{len(right) - len(strays)} of {len(right)} right answers are faithful.")
pd.DataFrame([{"said": row.reply, "right": row.expected} for row in strays])

# %% [markdown]
# Such a check has three blind spots:
# - **Another spelling.** "4.5cm" is what the page says in other letters ("4.5 centimetres"), and it counts as invented.
# - **The exam hears what it wants.** "37 articles, which is a total of 120 articles" names the right figure, and passes as right. Only the check sees that the second stands on no page.
# - **Who did what.** "Ironside beat the Slaters" would be faithful, word by word, to a page that says the opposite.
#
# ## The price of k
#
# More passages hold the right one more often, cost more to read, and distract. All three, stored:

# %% tags=["hide-input"]
# @title What k costs
ks = sorted({row["k"] for row in rag.values() if row["way"] == "hybrid"})
hybrid = {k: rag[f"hybrid, k = {k}"] for k in ks}
price = 0.15  # dollars for a million tokens read by a small hosted model
bill = {k: {"right": round(row["accuracy"], 2),
            "95% interval": "{:.2f} to {:.2f}".format(*row["ci"]),
            "tokens read": round(row["prompt_tokens"]),
            "dollars for 1,000 questions": round(row["prompt_tokens"] * price / 1e3, 3)}
        for k, row in hybrid.items()}
pd.DataFrame.from_dict(bill, orient="index").rename_axis("k")

# %% tags=["nbval-ignore-output", "hide-input"]
# @title What k buys
lines = {"right": [hybrid[k]["accuracy"] for k in ks],
         "passage is there": [stored["answers"]["found"][str(k)] for k in ks]}
cl.plots.curve(ks, lines, "What k buys", "k, passages in the prompt",
               "share of questions",
               bands={"right": [tuple(hybrid[k]["ci"]) for k in ks]})

# %% [markdown]
# The upper line is the librarian's, the lower the reader's, and the gap between them widens. From which k on do more passages no longer pay?

# %% tags=["nbval-ignore-output"]
def as_many(what):
    """Four passages, in terms of one."""
    return round(hybrid[4][what] / hybrid[1][what], 1)


cl.verdict("four passages cost more tokens than one (times as many)",
           as_many("prompt_tokens"), above=1)
cl.verdict("four passages keep it waiting longer than one (times as long)",
           as_many("seconds"), above=1)
cl.verdict("four passages answer more than one", at_k[4] - at_k[1])

# %% [markdown]
# More passages cost more, and this reader answers *fewer* questions with them: what it does not need distracts it.
#
# *It can take longer to answer because it has to search first.* How much of the time is the search?

# %% tags=["nbval-ignore-output"]
waits = {way: rag[f"{way}, k = 1"]["seconds"] * 1000 for way in librarians}
searching = stored["answers"]["search_ms"]
share = {way: ms / (ms + waits[way]) for way, ms in searching.items()}
for way, ms in searching.items():
    cl.say(f"{way}: {ms:.1f} ms to search, {waits[way]:.0f} ms to read and answer.")
cl.verdict("less than a quarter of the wait is the search",
           round(max(share.values()), 2), below=0.25)

# %% [markdown]
# One waits for the reading, not for the search, and the reading grows with every passage.
#
# ## What breaks it
#
# Six ways, each made to happen.
#
# ### 1 · The old beats the new
# Several policies of the handbook are in the library in two editions, and people ask without naming a year. How often does the *old* edition come first, without and with a filter by date?

# %%
from course_lib.lessons import adverse
from course_lib.retrieval import grounding

undated, _ = adverse.undated_questions(cl.load_facts())
cl.say(f"{len(undated)} such questions, for example: *{undated[10].question}*")

# %% tags=["nbval-ignore-output"]
def is_old(passage, q):
    """Another edition of the page that answers."""
    return passage.source.startswith(q.source[:-4]) and passage.source != q.source

# %% tags=["nbval-ignore-output"]
share, since = {}, filters.only(since="2042-01-01")
for name, where in {"without a filter": None, "with one": since}.items():
    found = both.search_many([q.question for q in undated], 1, where)
    share[name] = sum(is_old(p[0], q) for q, p in zip(undated, found)) / len(undated)
    cl.say(f"The old edition comes first, {name}: {share[name]:.0%}.")
cl.verdict("without a filter the old edition comes first in at least a fifth",
           round(share["without a filter"], 2), above=0.2)
cl.verdict("with a filter by date the old edition never comes first",
           share["with one"] == 0)
cl.verdict("an old edition in the library gives old answers",
           "05/breaks/stale/all dates/says the old", above=0)

# %% [markdown]
# *Old or poor documents give wrong answers*, and they sound as sure as good ones. The filter is blunt: it hides everything older. A library that withdraws the old edition needs none.
#
# ### 2 · The page is not there
# We take away the document that holds the answer, and ask all the same. Does the reader say that it does not know? With our usual instruction, and with one that asks it to say so:

# %%
missing = stored["breaks"]["missing"]
rows = {name: {"says it does not know": row["unknown"], "right": row["accuracy"],
               "n": row["n"]} for name, row in missing.items()}
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# Unless told to, it never says so: it makes an answer out of what lies before it. And when told? Compare the second row with the third.

# %% tags=["nbval-ignore-output"]
def says_so(measurement, name):
    (report,) = kept.runs(f"05/breaks-{measurement}", name).reports
    return report.judged(row.verdict == "unknown" for row in report.rows)


gone = says_so("missing-honest", "page gone")
there = says_so("present-honest", "page there")
cl.say(f"Told to, it says so in {gone.accuracy:.0%} where the page is gone, and in "
       f"{there.accuracy:.0%} where it is there.")
cl.verdict("told to, it says so more often where the page is gone", gone - there)

# %% [markdown]
# It says the words, but not when they are true. Can the *search* tell, before the model is asked? It always finds something, the nearest passage, however far. So if the best score is below a *threshold*, say "I don't know".
# The threshold is chosen on validation questions, each asked with its document in the library and without, and tried on the exam's:

# %% tags=["nbval-ignore-output"]
validation, refused = exam.on_validation(), {}
for name, librarian in {"dense": index, "dense, trained": trained}.items():
    limit = adverse.threshold(adverse.best_scores(librarian, validation, False),
                              adverse.best_scores(librarian, validation, True))
    for page_gone in (True, False):
        called = f"{name}, page {'gone' if page_gone else 'there'}"
        low = [score < limit
               for score in adverse.best_scores(librarian, exam, page_gone)]
        refused[called] = rankings["dense"].within(1).judged(low, called)
    cl.say(f"{name}: threshold {limit:.2f}, from {len(validation)} questions.")
cl.plots.bars([(name, report.accuracy, *report.ci) for name, report in refused.items()],
              f"Refused below the threshold, n = {len(exam)}", "share refused")

# %% [markdown]
# To refuse is right where the page is gone, and wrong where it is there. And what of questions that have nothing to do with the library, the `general` exam?

# %% tags=["nbval-ignore-output"]
limit = adverse.threshold(adverse.best_scores(index, validation, False),
                          adverse.best_scores(index, validation, True))
general = adverse.best_scores(index, cl.load_exam("general"))
foreign = sum(score < limit for score in general) / len(general)
cl.say(f"Of {len(general)} questions of general knowledge {foreign:.0%} are refused.")
cl.verdict("a score threshold refuses more where the page is gone",
           refused["dense, page gone"] - refused["dense, page there"])

# %% [markdown]
# Far better than asking the model, but no wall. It refuses what is foreign to the library. Where a page is gone it often lets the question pass, as another page of the same kind lies near; and some
# are refused although their page is there. A threshold is a choice between two errors. Training the *reader* to say so is lesson 06.
#
# ### 3 · Look-alikes
# The right passage is there, with three others. Does it matter which? Drawn at random from the library, or the best-ranked beside it:

# %% tags=["nbval-ignore-output"]
rows = [{"label": name, "value": row["accuracy"],
         "low": row["ci"][0], "high": row["ci"][1]}
        for name, row in stored["breaks"]["distractors"].items() if "minus" not in name]
beside = "05/breaks/distractors"
cl.verdict("three strangers beside the right passage cost right answers",
           f"{beside}/alone minus three strangers")
cl.verdict("three look-alikes cost more than three strangers",
           f"{beside}/three strangers minus three look-alikes")
cl.plots.bars(rows, "The right passage and three others")

# %% [markdown]
# Company of any kind costs this reader. That look-alikes cost more than strangers, a hundred questions have not shown. A real retriever hands out
# look-alikes: lesson 06 trains on them.
#
# **Lost in the middle?** Liu and others (2023) found that long prompts are read best at both ends. Here are the same five passages, the right one first, third or last:

# %% tags=["nbval-ignore-output", "hide-input"]
# @title The right page first, third or last
from course_lib.evaluation.sizes import students

spots = {name: kept.runs(f"05/breaks-place-{name}", f"page {name}")
         for name in ("first", "middle", "last")}
places = {"135M": {name: runs.share() for name, runs in spots.items()}}
for name, number in {"first": "first", "middle": "third", "last": "last"}.items():
    for who, runs in students("05/library", f"page {number} of five").items():
        if who != "smollm2-135m":
            places.setdefault(who, {})[name] = runs.share()
for end in ("first", "last"):
    cl.verdict(f"the right page is read better {end} of five than in the middle",
               spots[end] - spots["middle"])
cl.plots.dots(places, f"Where the right page lies, n = {spots['middle'].n}")

# %% [markdown]
# This reader reads best what lies last, nearest to the question. Whether it also reads the first better than the middle, a hundred questions cannot tell. If your reader does the same, put the best passage last.
#
# ### 4 · A page that gives orders
# What if somebody writes an instruction into a document? That is *prompt injection* (Greshake and others 2023). We put one at the end of the right
# page; then the same page between marks, with a warning.
#
# **Predict:** how often does the model obey? (Sixteen questions here, then a hundred that are stored.)

# %%
cl.say(f"The order: *{adverse.ORDER}*")
cl.predict("orders", "It obeys, in per cent", low=0, high=100)

# %% tags=["nbval-ignore-output"]
few = exam.sample(16)
page = {q.question: golden[q.question] for q in few}
bad = adverse.poisoned(page)
plain = cl.evaluate(cl.OpenBook(gp, bad), few, "plain")
marked = cl.evaluate(cl.OpenBook(gp, adverse.fenced(bad), adverse.FENCED), few,
                     "between marks")
plain.show(3)
for report in (plain, marked):
    obeys = grounding.said(report, "PELICAN").accuracy
    cl.say(f"The order {report.name}: obeyed in {obeys:.0%} of {report.n}.")

# %% tags=["nbval-ignore-output"]
measured = {"plain": "order", "fenced": "order-fenced",
            "plain, among four": "order-four",
            "fenced, among four": "order-four-fenced"}
orders = {name: kept.runs(f"05/breaks-{place}", name)
          for name, place in measured.items()}
obeyed = {name: grounding.said(runs.reports[0], "PELICAN")
          for name, runs in orders.items()}
cl.reveal("orders", round(100 * obeyed["plain"].accuracy))
cl.verdict("marks and a warning make it obey less", obeyed["plain"] - obeyed["fenced"])
cl.verdict("with marks and a warning it obeys no more", obeyed["fenced"], below=0.01)
pd.DataFrame({name: {"obeyed": report.accuracy, "still right": orders[name].share()[0],
                     "n": str(report.n)} for name, report in obeyed.items()}).T

# %% [markdown]
# Marks and a warning (*fenced*) make it obey far less, and do not stop it. Among four fenced passages it obeys none, but hardly answers any more, either; often it only
# recites the page. What a document may *cause* must be limited outside of the model: what it may call, and who reads what it writes. What training does to it is in lesson 06.
#
# ### 5 · Two pages for one answer
# "What is the reception range of the Wren 5, and the Wren 6?" needs two data sheets.

# %%
two = {k: row for k, row in stored["breaks"]["two documents"].items() if k != "n"}
pd.DataFrame.from_dict(two, orient="index").round(2)

# %% [markdown]
# The first column is the librarian's: one vector for two wishes lies between them. The others are the reader's: even with both pages before it, it
# never says both answers. The last row asks twice: split the question, search for each half, read each by itself.
#
# ### 6 · The wrong eyes
# The library also holds pages for managers, for lawyers, for clinicians. Now a customer asks:

# %% tags=["nbval-ignore-output"]
curious = "Who is the consultant named in the low-tide fever guideline 2042?"
public = filters.only(audience="public")
for name, where in {"no filter": None, "public only": public}.items():
    page = both.search(curious, 1, where)[0]
    print(f"{name}: finds {page.source}, a page for: {page.audience}")
audiences = {p.audience for q in exam for p in both.search(q.question, 4, public)}
cl.say(f"All {len(exam)} questions asked with the filter find pages for: "
       f"{', '.join(audiences)}.")

# %% [markdown]
# The filter works in the *store*, before anything reaches the prompt. Asking the model to keep what it has read to itself is no protection: you have seen how it takes orders.
#
# ## Deleted is deleted?
#
# *RAG keeps sensitive data separate*, and lesson 02 showed that RAG no longer tells what stood in a withdrawn document. But is it *gone*? **Predict:** we delete a document from Chroma
# by its own `delete`, and look for its words in the bytes of the folder. Are they still there?

# %%
cl.predict_choice("bytes", "After Chroma's own delete the words are...",
                  ["gone from the files", "still in the files"])

# %% tags=["nbval-ignore-output"]
secret = cl.Document("memo", "Memo", "The password of the drug cupboard is MARMALADE.",
                     "2042-04-19", "memo", "managers")


def in_the_files(word):
    return any(word.encode() in path.read_bytes()
               for path in folder.rglob("*") if path.is_file())

# %% tags=["nbval-ignore-output"]
ward.add(secret)
ward.store.delete(["memo"])
nearest = ward.search("What is the password?", 20)
found = "memo" in {passage.source for passage in nearest}
left = in_the_files("MARMALADE")
cl.reveal("bytes", "still in the files" if left else "gone from the files")
cl.say(f"A search {'still' if found else 'no longer'} finds it.")
cl.verdict("what Chroma deleted is gone from its files", not left)

# %% [markdown]
# Anybody who copies the folder can still read it. A database does not wipe: it marks the place as free, and keeps a log. So `index.remove` goes further (`ChromaStore.erase`): it copies what is
# left into a new collection, drops the old one, packs the file, and overwrites what the graph had reserved.

# %% tags=["nbval-ignore-output"]
ward.add(secret)
ward.remove("memo")
cl.verdict("what index.remove took out is gone from the files",
           not in_the_files("MARMALADE"))

# %% [markdown]
# Whether it is also gone from your backups, and from the log of the person who asked, is for you to find out.
#
# ## Two more labs
#
# ### Lab · HR policies
# An HR assistant answers from the handbook, for staff, by what is in force today. One filter says all three:

# %% tags=["nbval-ignore-output"]
may_see = filters.only(kind="handbook", audience=["public", "staff"],
                       since="2042-01-01")
hr = cl.RagPipeline(gp, both, k=1, where=may_see)
for text in ("Which form do I fill in when I come back after being ill?",
             "How much physiotherapy is refunded?"):
    said = hr.ask(text, 24)
    page = said.sources[0]
    print(f"{text}\n   → {said.text}\n   [{page.title}, {page.date}]")

# %% [markdown]
# A small reader talks nonsense now and then, with the right page before it. The source under each answer lets the one who asked check.

# %% tags=["nbval-ignore-output"]
shown = {p.kind for q in undated[:20] for p in hr.index.search(q.question, 4, hr.where)}
cl.verdict("the HR assistant sees nothing but the handbook", shown == {"handbook"})

# %% [markdown]
# ### Lab · Product support
# Customers ask by what stands on the label: models, part numbers, error codes. First a bare number, then a sentence that names the product:

# %% tags=["nbval-ignore-output"]
support = filters.only(kind=["manuals", "sheets", "faq"], audience="public")
for text in ("What is BT-8206?", "My Tern 3 shows D-26, what does that mean?"):
    found = {name: librarian.search(text, 1, support)[0].source
             for name, librarian in librarians.items()}
    print(text, *(f"\n   {name}: {source}" for name, source in found.items()))
first = words.search("What is BT-8206?", 1, support)[0]
cl.verdict("a bare part number is found by its letters", "BT-8206" in first.text)

# %% [markdown]
# Hybrid search listens to both halves, also to the one that knows nothing. Where customers ask by number, search by keyword alone first.
#
# ## Bring your own folder
#
# None of this needs our library. Point `build_index` at any folder of Markdown, text or PDF files, and ask. Here are the openings of some books that are free for all:

# %% tags=["nbval-ignore-output"]
mine = cl.build_index("tests/prose")  # your folder: "/path/to/my/papers"
for text in ("Which animal was afraid of being late?",
             "Who goes to sea when he feels gloomy?"):
    first = mine.search(text, 1)[0]
    print(f"{text}\n   {first.source}: {' '.join(first.text.split())[:110]} ...")

# %% [markdown]
# A folder without documents is refused in one sentence, and so are a picture called `.txt`, a PDF of photographs, a line of five megabytes.

# %% tags=["nbval-ignore-output"]
try:
    cl.build_index(tempfile.mkdtemp())
except cl.CourseError as error:
    said = str(error)
    print("CourseError:", said.split(" in ")[0], "...", said.split(": ")[-1])

# %% [markdown]
# ## Quiz

# %%
cl.quiz("05")

# %% [markdown]
# ## What was tried on this page

# %% tags=["nbval-ignore-output"]
cl.findings()
cl.progress()

# %% [markdown]
# To remember: right is found *times* read. One waits for the reading, hardly for the search. A filter keeps old pages and secrets away if it works in the store, and deleting must also wipe.
# A vector database's graph is quick; what stands around it takes a time of its own.
#
# ## Where it stops being true
#
# - Each question of the exam has one right passage, and we know it. In life somebody has to say so, for two hundred questions, before recall means anything.
# - Our passages name their subject. Where they do not, cuts and overlap matter far more.
# - The embedding model learned from questions like the exam's. Asked in another manner, it would gain less.
# - A larger reader reads better, and may bear a larger k: `cl.load_model("owner/name")` says by how much.
# - The vectors in the table of stores are mixtures of real ones. A million real texts would be spread otherwise.
#
# Next: [06 · RAFT](06_raft.ipynb), where the reader is trained.
