-- YEAR: both ends, the zero year, and what two-digit years become.
CREATE TABLE years (id INT PRIMARY KEY, y YEAR, y4 YEAR(4), nn YEAR NOT NULL);
INSERT INTO years VALUES (1, 1901, 1901, 1901), (2, 2155, 2155, 2155), (3, 0000, 0, '0000'), (4, 70, 69, '0'), (5, NULL, NULL, 2024), (6, 1970, '1999', 2000);
CREATE TABLE year_key (k YEAR PRIMARY KEY, v INT);
INSERT INTO year_key VALUES (0000, 1), (1901, 2), (2155, 3);
