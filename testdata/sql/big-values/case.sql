-- Values of a mebibyte and more: one byte below and above it, past the 16 MiB of one protocol packet, many small rows between.
SET NAMES utf8mb4;
CREATE TABLE big_values (id INT PRIMARY KEY, b LONGBLOB, t LONGTEXT) DEFAULT CHARSET = utf8mb4;
INSERT INTO big_values VALUES
  (1, REPEAT(UNHEX(SHA2('one', 512)), 16384), REPEAT('é', 524288)),
  (2, 'small', 'small'),
  (3, CONCAT(REPEAT(UNHEX(SHA2('two', 512)), 16384), 'x'), NULL),
  (4, LEFT(REPEAT(UNHEX(SHA2('three', 512)), 16384), 1048575), ''),
  (5, NULL, REPEAT(CONCAT(SHA2('four', 512), '🚀'), 10000));
-- A row of 16 MiB needs two packets.
INSERT INTO big_values SELECT 6, REPEAT(b, 15), 'two packets' FROM big_values WHERE id = 1;
UPDATE big_values SET b = CONCAT(b, REPEAT('y', 2000000)) WHERE id = 6;
INSERT INTO big_values VALUES (7, NULL, 'after it');
-- One whose packet holds exactly 2^24 - 1 bytes has an empty one after it: 8 is that row in the text protocol, 9 in the binary one.
INSERT INTO big_values SELECT 8, LEFT(b, 16777208), NULL FROM big_values WHERE id = 6;
INSERT INTO big_values SELECT 9, LEFT(b, 16777205), NULL FROM big_values WHERE id = 6;
INSERT INTO big_values VALUES (10, 'last', 'last');
