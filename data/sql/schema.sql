-- The shop of Brindlecombe & Daughters: what it sells abroad, and to whom.

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT,             -- NULL where none was given
    city TEXT NOT NULL,
    state TEXT NOT NULL,    -- two letters, 'CA'
    joined TEXT NOT NULL    -- YYYY-MM-DD, as all dates
);

CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    category TEXT NOT NULL, -- 'kettles', 'lamps', ...
    price REAL NOT NULL,    -- crowns for one
    stock INTEGER NOT NULL  -- pieces
);

CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL,
    total REAL NOT NULL,    -- crowns, with shipping
    order_date TEXT NOT NULL,
    status TEXT NOT NULL    -- 'pending', 'paid', 'packed', 'shipped', 'delivered', 'returned', 'cancelled'
);
