-- SET: labels joined by commas, none to all 64 of them, in the order of the declaration whatever the order of insertion.
SET NAMES utf8mb4;
SET SESSION sql_mode = '';
CREATE TABLE sets (
  id INT PRIMARY KEY, s SET('red', 'green', 'blue'), odd SET('', 'it''s', '"', 'a b', '%', 'x)y('), uni SET('日本', 'é', '🚀') CHARACTER SET utf8mb4,
  lat SET('é', 'ü', '€') CHARACTER SET latin1, nn SET('a', 'b') NOT NULL, nine SET('1', '2', '3', '4', '5', '6', '7', '8', '9')
) DEFAULT CHARSET = utf8mb4;
INSERT INTO sets VALUES
  (1, 'red', 'it''s', '日本', 'é', 'a', '1'), (2, 'blue,red', '",it''s', '🚀,日本', '€,é', 'b,a', '9,1'), (3, 'red,green,blue', 'a b,%', 'é', 'ü', '', '9'),
  (4, '', '', '', '', '', ''), (5, NULL, NULL, NULL, NULL, 'a', NULL), (6, 7, 2, 7, 7, 3, 511), (7, 'red,red,pink', 'x)y(', 'x', 'x', 'x', 256), (8, 5, 61, 4, 4, 2, '3,5,7');

CREATE TABLE set64 (id INT PRIMARY KEY, s SET(
  'm01', 'm02', 'm03', 'm04', 'm05', 'm06', 'm07', 'm08', 'm09', 'm10', 'm11', 'm12', 'm13', 'm14', 'm15', 'm16',
  'm17', 'm18', 'm19', 'm20', 'm21', 'm22', 'm23', 'm24', 'm25', 'm26', 'm27', 'm28', 'm29', 'm30', 'm31', 'm32',
  'm33', 'm34', 'm35', 'm36', 'm37', 'm38', 'm39', 'm40', 'm41', 'm42', 'm43', 'm44', 'm45', 'm46', 'm47', 'm48',
  'm49', 'm50', 'm51', 'm52', 'm53', 'm54', 'm55', 'm56', 'm57', 'm58', 'm59', 'm60', 'm61', 'm62', 'm63', 'm64'
));
INSERT INTO set64 VALUES
  (1, 'm01'), (2, 'm64'), (3, 'm64,m01'), (4, ''), (5, NULL), (6, 18446744073709551615), (7, 9223372036854775808), (8, 9223372036854775807), (9, 'm33,m32,m08,m09');
