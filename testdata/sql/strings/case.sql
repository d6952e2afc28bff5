-- Text of all sizes: empty, trailing spaces, NUL and control bytes, quotes, what looks like a number or NULL, and the longest of each type.
SET NAMES utf8mb4;
SET SESSION sql_mode = '';
CREATE TABLE strings (
  id INT PRIMARY KEY, c CHAR(10), c1 CHAR, c0 CHAR(0), v VARCHAR(200), v0 VARCHAR(0), vb VARCHAR(50) COLLATE utf8mb4_bin, tt TINYTEXT, t TEXT, mt MEDIUMTEXT, lt LONGTEXT, nn VARCHAR(20) NOT NULL
) DEFAULT CHARSET = utf8mb4;
INSERT INTO strings VALUES
  (1, '', '', '', '', '', '', '', '', '', '', ''),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'NULL'),
  (3, 'a  ', ' ', ' ', 'a  ', ' ', '  ', 'a  ', 'a  ', ' ', '  a  ', ' '),
  (4, '  a', 'é', NULL, '  a', NULL, 'a\tb', 'line\nbreak', 'cr\r\nlf', '\0', 'a\0b\0', '\0'),
  (5, '0', '0', NULL, '\'', NULL, '"', '\\', '\\N', 'NULL', 'null', '1.50'),
  (6, '日本語日本語日本語日', '🚀', NULL, CONCAT('e', x'CC81'), NULL, 'é', '🚀🚀', 'žluťoučký kůň', '\Z\b', '%_', 'tab\t'),
  (7, 'nul\0', 'x', NULL, CONCAT('all ', CHAR(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,127 USING utf8mb4)), NULL, 'A', REPEAT('x', 255), REPEAT('x', 65535), REPEAT('x', 65536), REPEAT('x', 70000), REPEAT('x', 20)),
  (8, REPEAT('x', 10), 'x', NULL, REPEAT('é', 200), NULL, REPEAT('🚀', 50), REPEAT('é', 127), REPEAT('日', 21845), REPEAT('🚀', 100000), REPEAT('žluť', 250000), 'end'),
  (9, 'a\0  ', '\0', NULL, 'x', NULL, 'x', REPEAT('y', 250), REPEAT('y', 251), REPEAT('y', 252), REPEAT('y', 16383), '9');
-- The longest VARCHAR of a row, and lengths around those where its length takes a second byte.
CREATE TABLE long_varchar (v VARCHAR(65532) NOT NULL) DEFAULT CHARSET = latin1;
INSERT INTO long_varchar VALUES (''), ('x'), (REPEAT('a', 255)), (REPEAT('b', 256)), (REPEAT('c', 65532)), (REPEAT('é', 65532));
-- Equal to the server's collation, different to us: a key may compare without case or trailing spaces.
CREATE TABLE text_key (k VARCHAR(40) NOT NULL, v INT, PRIMARY KEY (k)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
INSERT INTO text_key VALUES ('', 1), ('A', 2), ('a', 3), ('Á', 4), ('a\0', 5), ('🚀', 6), ('ß', 7), ('ss', 8), ('''', 9), ('日本', 10);
CREATE TABLE folded_key (k CHAR(20) NOT NULL, l VARCHAR(20) NOT NULL, v INT, PRIMARY KEY (l, k)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;
INSERT INTO folded_key VALUES ('a', 'x', 1), ('B', 'x', 2), ('c', 'X ', 3), ('Z', 'é', 4), ('z', 'f', 5);
