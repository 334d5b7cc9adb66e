-- The lending library of the Merrow Isles: no training pair is about it.

CREATE TABLE members (
    id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    town TEXT NOT NULL,
    island TEXT NOT NULL,
    enrolled TEXT NOT NULL  -- YYYY-MM-DD, as all dates
);

CREATE TABLE books (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    author TEXT NOT NULL,
    genre TEXT NOT NULL,    -- 'poetry', 'travel', ...
    pages INTEGER NOT NULL,
    copies INTEGER NOT NULL
);

CREATE TABLE loans (
    id INTEGER PRIMARY KEY,
    member_id INTEGER NOT NULL REFERENCES members (id),
    book_id INTEGER NOT NULL REFERENCES books (id),
    lent_on TEXT NOT NULL,
    due_on TEXT NOT NULL,
    returned_on TEXT        -- NULL while it is out
);
