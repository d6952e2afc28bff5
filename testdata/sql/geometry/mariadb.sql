-- Every kind of geometry, NULL and empty collections; the binary value without the server's 4-byte SRID is what lands.
CREATE TABLE shapes (
  id INT PRIMARY KEY, g GEOMETRY, p POINT, l LINESTRING, y POLYGON, mp MULTIPOINT, ml MULTILINESTRING, my MULTIPOLYGON, gc GEOMETRYCOLLECTION
);
INSERT INTO shapes VALUES
  (1, ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('LINESTRING(0 0, 1 1, 2 0)'), ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))'), ST_GeomFromText('MULTIPOINT(1 1, 2 2)'), ST_GeomFromText('MULTILINESTRING((0 0, 1 1), (2 2, 3 3, 4 4))'), ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))'), ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))')),
  (2, ST_GeomFromText('POLYGON((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))'), ST_GeomFromText('POINT(-1.5 0.1)'), ST_GeomFromText('LINESTRING(-1e10 1e-10, 3 4)'), ST_GeomFromText('POLYGON((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))'), ST_GeomFromText('MULTIPOINT(0 0)'), ST_GeomFromText('MULTILINESTRING((0 0, 1 0))'), ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))'), ST_GeomFromText('GEOMETRYCOLLECTION EMPTY')),
  (3, ST_GeomFromText('GEOMETRYCOLLECTION(GEOMETRYCOLLECTION(POINT(1 2)), POLYGON((0 0, 1 0, 1 1, 0 0)))'), ST_GeomFromText('POINT(0 0)'), ST_GeomFromText('LINESTRING(0 0, 0 1)'), ST_GeomFromText('POLYGON((0 0, 1 0, 0 1, 0 0))'), ST_GeomFromText('MULTIPOINT(3 3, 3 3, -3 -3)'), ST_GeomFromText('MULTILINESTRING((0 0, 1 0), (0 0, 0 1))'), ST_GeomFromText('MULTIPOLYGON(((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 2, 2 2, 1 1)))'), ST_GeomFromText('GEOMETRYCOLLECTION(GEOMETRYCOLLECTION(POINT(1 2)), POLYGON((0 0, 1 0, 1 1, 0 0)))')),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- The general type holds any kind, one a row.
CREATE TABLE any_shape (id INT PRIMARY KEY, g GEOMETRY NOT NULL, SPATIAL INDEX (g));
INSERT INTO any_shape VALUES
  (1, ST_GeomFromText('POINT(1 2)')),
  (2, ST_GeomFromText('POINT(-1.5 0.1)')),
  (3, ST_GeomFromText('LINESTRING(0 0, 1 1, 2 0)')),
  (4, ST_GeomFromText('LINESTRING(-1e10 1e-10, 3 4)')),
  (5, ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))')),
  (6, ST_GeomFromText('POLYGON((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))')),
  (7, ST_GeomFromText('MULTIPOINT(1 1, 2 2)')),
  (8, ST_GeomFromText('MULTIPOINT(0 0)')),
  (9, ST_GeomFromText('MULTILINESTRING((0 0, 1 1), (2 2, 3 3, 4 4))')),
  (10, ST_GeomFromText('MULTILINESTRING((0 0, 1 0))')),
  (11, ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))')),
  (12, ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))')),
  (13, ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))'));

-- Spatial reference systems only go with the value.
CREATE TABLE referenced (id INT PRIMARY KEY, free GEOMETRY, zero POINT REF_SYSTEM_ID = 0, wgs POINT REF_SYSTEM_ID = 4326);
INSERT INTO referenced VALUES
  (1, ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('POINT(1 2)', 0), ST_GeomFromText('POINT(16.37 48.2)', 4326)),
  (2, ST_GeomFromText('LINESTRING(10 20, 30 40)', 4326), NULL, ST_GeomFromText('POINT(180 90)', 4326)),
  (3, ST_GeomFromText('GEOMETRYCOLLECTION EMPTY', 4326), POINT(1.7976931348623157e308, 5e-324), NULL);
