-- Types that only MariaDB has: UUID and IP addresses land as their text; compressed columns read as what went in.
SET NAMES utf8mb4;
CREATE TABLE addresses (id INT PRIMARY KEY, u UUID, v4 INET4, v6 INET6, u_nn UUID NOT NULL, v4_nn INET4 NOT NULL, v6_nn INET6 NOT NULL);
INSERT INTO addresses VALUES
  (1, '00000000-0000-0000-0000-000000000000', '0.0.0.0', '::', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'),
  (2, '6CCD780C-BABA-1026-9564-5B8C656024DB', '127.0.0.1', '::1', '6ccd780cbaba102695645b8c656024db', '10.0.0.255', '2001:db8::ff00:42:8329'),
  (3, NULL, NULL, NULL, '01890dd5-ea3f-746d-ad00-e7bd2a7ef4ef', '1.2.3.4', '::ffff:192.168.0.1'),
  (4, UUID(), '192.168.100.200', 'fe80::1', '123e4567-e89b-12d3-a456-426614174000', '0.0.0.1', '1:0:0:2::3');
CREATE TABLE uuid_key (k UUID PRIMARY KEY DEFAULT UUID(), v INT);
INSERT INTO uuid_key VALUES ('ffffffff-0000-1000-8000-000000000001', 1), ('00000000-0000-1000-8000-000000000002', 2);
CREATE TABLE inet6_key (k INET6 PRIMARY KEY, v INT);
INSERT INTO inet6_key VALUES ('::2', 1), ('::10', 2), ('ff::', 3);
CREATE TABLE compressed (id INT PRIMARY KEY, v VARCHAR(1000) COMPRESSED CHARACTER SET utf8mb4, t TEXT COMPRESSED CHARACTER SET utf8mb4, b LONGBLOB COMPRESSED, s VARBINARY(200) COMPRESSED, l MEDIUMTEXT COMPRESSED CHARACTER SET latin1);
INSERT INTO compressed VALUES (1, REPEAT('žluťoučký ', 90), REPEAT('日本', 10000), REPEAT(x'00FF', 50000), REPEAT('a', 200), REPEAT('é', 70000)), (2, '', '', '', '', ''), (3, NULL, NULL, NULL, NULL, NULL), (4, 'x', 'é', x'00', 'x', '€');
