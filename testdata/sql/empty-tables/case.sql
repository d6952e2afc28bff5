-- Tables without a row: never filled, emptied, and with a single column.
CREATE TABLE never_filled (id INT PRIMARY KEY, v VARCHAR(10) COMMENT 'kept all the same', d DECIMAL(10,2) NOT NULL, t TIMESTAMP NULL);
CREATE TABLE emptied (id INT PRIMARY KEY, v INT);
INSERT INTO emptied VALUES (1, 1), (2, 2);
DELETE FROM emptied;
CREATE TABLE keyless (v INT);
CREATE TABLE one_row (v INT);
INSERT INTO one_row VALUES (NULL);
