-- What runs leave behind.
CREATE TABLE effects (
    number BIGINT NOT NULL PRIMARY KEY,
    run TEXT NOT NULL
);
