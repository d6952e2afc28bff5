-- ENUM: labels instead of ordinals; odd labels, more than 255 of them, labels of another charset, and the empty error value.
SET NAMES utf8mb4;
SET SESSION sql_mode = '';
CREATE TABLE enums (
  id INT PRIMARY KEY, e ENUM('small', 'medium', 'large'), odd ENUM('', 'a,b', 'it''s', '"', 'back\\slash', ' lead', '1', '0', 'x)y(', 'a''''b', 'percent%', 'tab	end'),
  uni ENUM('日本語', 'žluťoučký', '🚀', 'é') CHARACTER SET utf8mb4, lat ENUM('é', 'ü', '€') CHARACTER SET latin1, gbk ENUM('中文', '汉字') CHARACTER SET gbk, nn ENUM('yes', 'no') NOT NULL, u16 ENUM('a', '日') CHARACTER SET utf16
) DEFAULT CHARSET = utf8mb4;
INSERT INTO enums VALUES
  (1, 'small', '', '日本語', 'é', '中文', 'yes', 'a'), (2, 'medium', 'a,b', 'žluťoučký', 'ü', '汉字', 'no', '日'), (3, 'large', 'it''s', '🚀', '€', NULL, 'yes', NULL),
  (4, 1, '"', 'é', 1, 1, 1, 1), (5, '3', 'back\\slash', NULL, NULL, 2, 2, 2), (6, NULL, ' lead', NULL, NULL, NULL, 'no', NULL),
  (7, 'LARGE', '1', NULL, NULL, NULL, 'YES', NULL), (8, NULL, '0', NULL, NULL, NULL, 'no', NULL), (9, NULL, 'x)y(', NULL, NULL, NULL, 'no', NULL),
  (10, NULL, 'a''''b', NULL, NULL, NULL, 'no', NULL), (11, NULL, 'percent%', NULL, NULL, NULL, 'no', NULL), (12, NULL, 'tab	end', NULL, NULL, NULL, 'no', NULL),
  -- Not among the labels: stored as the error value, which reads as the empty string.
  (13, 'huge', 'nope', 'x', 'x', 'x', 'maybe', 'x'), (14, 0, 99, '', '', '', '', '');

-- 300 labels take two bytes a value.
SET SESSION group_concat_max_len = 1000000;
SET @labels = (SELECT GROUP_CONCAT(CONCAT('''label ', LPAD(h.n * 100 + t.n * 10 + o.n, 3, '0'), '''') ORDER BY h.n, t.n, o.n)
  FROM (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2) h
  JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) t
  JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) o);
SET @ddl = CONCAT('CREATE TABLE many_labels (id INT PRIMARY KEY, e ENUM(', @labels, '))');
PREPARE s FROM @ddl;
EXECUTE s;
DEALLOCATE PREPARE s;
INSERT INTO many_labels VALUES (1, 'label 000'), (2, 254), (3, 255), (4, 256), (5, 257), (6, 'label 299'), (7, 0), (8, NULL);

CREATE TABLE enum_key (k ENUM('z', 'a', 'm') PRIMARY KEY, v INT);
INSERT INTO enum_key VALUES ('m', 1), ('z', 2), ('a', 3);
