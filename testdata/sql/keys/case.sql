-- What may identify a row: nothing (with duplicate rows), unique keys with and without NULL, composite keys out of column order, a prefix.
SET NAMES utf8mb4;
CREATE TABLE keyless (a INT, b VARCHAR(10), c DOUBLE);
INSERT INTO keyless VALUES (1, 'x', 0.5), (1, 'x', 0.5), (1, 'x', 0.5), (2, NULL, NULL), (2, NULL, NULL), (NULL, NULL, NULL), (NULL, NULL, NULL), (3, '', 0);
CREATE TABLE keyless_one (v INT);
INSERT INTO keyless_one VALUES (1), (1), (NULL), (2);
CREATE TABLE only_unique (u INT NOT NULL, v INT, UNIQUE KEY (u));
INSERT INTO only_unique VALUES (1, 1), (2, 2), (3, 2);
CREATE TABLE nullable_unique (u INT, v INT, UNIQUE KEY (u));
INSERT INTO nullable_unique VALUES (1, 1), (NULL, 2), (NULL, 2), (2, 3);
CREATE TABLE only_index (k INT, v INT, KEY (k));
INSERT INTO only_index VALUES (1, 1), (1, 1), (2, 2);
CREATE TABLE composite (c VARCHAR(10), a INT, b DATE, v INT, PRIMARY KEY (b, c, a)) DEFAULT CHARSET = utf8mb4;
INSERT INTO composite VALUES ('x', 1, '2020-01-01', 1), ('x', 2, '2020-01-01', 2), ('y', 1, '2020-01-01', 3), ('x', 1, '2020-01-02', 4);
CREATE TABLE all_key (a INT, b INT, c INT, d INT, PRIMARY KEY (d, c, b, a));
INSERT INTO all_key VALUES (1, 2, 3, 4), (4, 3, 2, 1), (0, 0, 0, 0);
CREATE TABLE prefix_key (t TEXT NOT NULL, v INT, PRIMARY KEY (t(5)));
INSERT INTO prefix_key VALUES ('abcdefgh', 1), ('abcdXfgh', 2), ('', 3);
CREATE TABLE key_of_16 (
  c1 INT, c2 INT, c3 INT, c4 INT, c5 INT, c6 INT, c7 INT, c8 INT, c9 INT, c10 INT, c11 INT, c12 INT, c13 INT, c14 INT, c15 INT, c16 INT,
  PRIMARY KEY (c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16)
);
INSERT INTO key_of_16 VALUES (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2);
CREATE TABLE serial_key (id SERIAL, v INT);
INSERT INTO serial_key (v) VALUES (1), (2);
CREATE TABLE parent (id INT PRIMARY KEY);
INSERT INTO parent VALUES (1), (2);
CREATE TABLE child (id INT PRIMARY KEY, parent_id INT, FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE, CHECK (id > 0));
INSERT INTO child VALUES (1, 1), (2, 1), (3, NULL);
