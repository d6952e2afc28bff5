-- Column names that break a path, a schema or a statement, in keys too; the longest one, and ones that readers or we might use ourselves.
SET NAMES utf8mb4;
CREATE TABLE names (
  `id` INT, `a.b` INT, `a b` INT, ` lead` INT, `a``b` INT, `it's` INT, `a"b` INT, `a/b` INT, `a\b` INT, `100%` INT, `%s` INT, `a,b` INT, `a;b` INT, `a=b` INT, `a(b)` INT, `[a]` INT, `{a}` INT, `-` INT, `?` INT, `:a` INT, `@a` INT, `#a` INT, `$a` INT, `1` INT, `2nd` INT, `1e5` INT,
  `ž` INT, `日本` INT, `SELECT` INT, `from` INT, `null` INT, `true` INT, `key` INT, `Case` INT, `UPPER` INT, `_` INT, `__op` INT, `_file` INT, `_pos` INT, `rowid` INT, `filename` INT, `element` INT, `list` INT, `value` INT,
  `a_column_name_of_exactly_sixty_four_characters_the_most_allowed_` INT, `*` INT, `count(*)` INT,
  PRIMARY KEY (`a.b`, `id`, `a b`)
);
INSERT INTO names VALUES
  (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47),
  (2, 2, 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE dotted (`a` INT PRIMARY KEY, `a.b` INT, `a.b.c` INT, `a.` INT, `.a` INT, `.` INT);
INSERT INTO dotted VALUES (1, 2, 3, 4, 5, 6);
CREATE TABLE quoted_key (`k"'``\` VARCHAR(10) PRIMARY KEY, `日 本` INT);
INSERT INTO quoted_key VALUES ('a', 1), ('b', 2);
-- Names that become the same where a writer makes them fit for Avro.
CREATE TABLE alike (`1` INT PRIMARY KEY, `_1` INT, `a b` INT, `a_x20b` INT, `a.b` INT, `a_x2Eb` INT, `a_b` INT);
INSERT INTO alike VALUES (1, 2, 3, 4, 5, 6, 7);
