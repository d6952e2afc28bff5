-- MySQL's JSON is binary: the server prints it in its own way, and that text is the value, types from outside JSON included.
SET NAMES utf8mb4;
CREATE TABLE docs (id INT PRIMARY KEY, j JSON, nn JSON NOT NULL, def JSON DEFAULT (JSON_ARRAY()));
INSERT INTO docs (id, j, nn) VALUES
  (1, '{}', '[]'), (2, '[]', '{}'), (3, 'null', 'null'), (4, NULL, 'true'), (5, 'false', '0'), (6, '""', '"text"'),
  (7, '{"b": 1, "a": 2, "aa": 3, "": 4, "b": 5}', '{"k":[1,2,{"x":null}]}'),
  (8, '9223372036854775807', '-9223372036854775808'), (9, '18446744073709551615', '18446744073709551616'), (10, '9007199254740993', '-1'),
  (11, '0.1', '1.0'), (12, '1e308', '-0.0'), (13, '1.7976931348623157e308', '5e-324'), (14, '12345678901234567890123', '1e2'), (15, '100', '3.14159265358979'),
  (16, '"žluťoučký kůň"', '"日本語 🚀"'), (17, '"\\u00e9\\ud83d\\ude80"', '"\\u0000\\u001f\\b\\f\\n\\r\\t\\"\\\\\\/"'), (18, '{"é": "ü", "🚀": 1}', '{"a b": "c,d", "q\\"q": "n\\nn"}'),
  (19, '  { "space" :  [ 1 ,2 ] }  ', '[[[[[[[[[[1]]]]]]]]]]'), (20, '[1, "2", 3.5, true, null, {}, []]', '"<>&''"');
-- Values only functions make: decimals, dates, binary strings, bits, years.
INSERT INTO docs (id, j, nn) VALUES
  (31, JSON_OBJECT('d', CAST(1.50 AS DECIMAL(10,2)), 'big', CAST('12345678901234567890123456789012345678901234567890.123456789' AS DECIMAL(65,9))), JSON_ARRAY(CAST(0.1 AS DECIMAL(30,30)), CAST(-1 AS DECIMAL(38,10)))),
  (32, JSON_OBJECT('date', DATE '2021-02-28', 'dt', TIMESTAMP '2021-02-28 01:02:03.000004', 't', TIME '-838:59:59'), CAST(TIMESTAMP '9999-12-31 23:59:59.999999' AS JSON)),
  (33, JSON_OBJECT('blob', x'00ff80', 'bit', b'101', 'empty', x''), JSON_ARRAY(CAST('abc' AS BINARY), CAST(x'e697a5' AS BINARY))),
  (34, CAST(CAST('2021-01-01' AS DATE) AS JSON), CAST(CAST(255 AS UNSIGNED) AS JSON)),
  (35, JSON_ARRAY(1e0, 1e16, 123456789012345680000e0, 1e-7, CAST(0.1 AS FLOAT), -0e0), JSON_ARRAY(TRUE, FALSE, NULL, 1 = 1)),
  (36, JSON_OBJECT('point', ST_AsGeoJSON(ST_GeomFromText('POINT(1 2)'))), JSON_QUOTE('q"q'));
-- Past 64 KiB offsets are four bytes wide; one long string needs three bytes of length.
INSERT INTO docs (id, j, nn) VALUES
  (51, CAST(CONCAT('[', REPEAT('"0123456789abcdef", ', 5000), 'null]') AS JSON), JSON_OBJECT('long', REPEAT('é', 70000))),
  (52, JSON_OBJECT('k', REPEAT('x', 127), 'l', REPEAT('x', 128), 'm', REPEAT('x', 16383), 'n', REPEAT('x', 16384)), '1');
INSERT INTO docs (id, j, nn, def) VALUES (61, '1', '1', '{"given": true}'), (62, '1', '1', NULL);
-- An update in place keeps the document's spare room; what it prints must not change.
UPDATE docs SET j = JSON_SET(j, '$.b', 'x'), nn = JSON_REMOVE(nn, '$.k[1]') WHERE id = 7;
UPDATE docs SET j = JSON_REPLACE(j, '$.k', 'short') WHERE id = 52;
