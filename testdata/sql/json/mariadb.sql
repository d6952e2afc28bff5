-- MariaDB's JSON is LONGTEXT with a check: the text comes back as it was written.
SET NAMES utf8mb4;
CREATE TABLE docs (id INT PRIMARY KEY, j JSON, nn JSON NOT NULL, free LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin);
INSERT INTO docs VALUES
  (1, '{}', '[]', '{not json'), (2, '[]', '{}', ''), (3, 'null', 'null', NULL), (4, NULL, 'true', 'null'), (5, 'false', '0', '0'),
  (6, '{"b": 1, "a": 2, "b": 5}', '  { "space" :  [ 1 ,2 ] }  ', '{"b": 1, "a": 2, "b": 5}'), (7, '18446744073709551616', '1.0', '1e2'),
  (8, '"žluťoučký 日本語 🚀"', '"\\u00e9\\ud83d\\ude80\\u0000"', '"\\n"'), (9, '{"é": [1, "2", {"x": null}]}', '12345678901234567890123.1234567890123456789', '🚀'),
  (10, JSON_OBJECT('d', 1.50, 't', '2021-02-28 01:02:03'), JSON_ARRAY(TRUE, NULL, 1), REPEAT('é', 70000));
