-- Text in every charset both servers have: words of its own script, what only it has, the euro sign, trailing spaces and NULL.
SET NAMES utf8mb4;
CREATE TABLE western (
  id INT PRIMARY KEY, latin1 VARCHAR(60) CHARACTER SET latin1, latin1c CHAR(20) CHARACTER SET latin1, latin1t TEXT CHARACTER SET latin1, latin2 VARCHAR(60) CHARACTER SET latin2, latin5 VARCHAR(60) CHARACTER SET latin5, latin7 VARCHAR(60) CHARACTER SET latin7,
  cp1250 VARCHAR(60) CHARACTER SET cp1250, cp1257 VARCHAR(60) CHARACTER SET cp1257, cp850 VARCHAR(60) CHARACTER SET cp850, cp852 VARCHAR(60) CHARACTER SET cp852, macroman VARCHAR(60) CHARACTER SET macroman, macce VARCHAR(60) CHARACTER SET macce,
  dec8 VARCHAR(60) CHARACTER SET dec8, hp8 VARCHAR(60) CHARACTER SET hp8, swe7 VARCHAR(60) CHARACTER SET swe7, ascii VARCHAR(60) CHARACTER SET ascii, keybcs2 VARCHAR(60) CHARACTER SET keybcs2
) DEFAULT CHARSET = utf8mb4;
INSERT INTO western VALUES
  (1, 'Crème brûlée', 'Müßiggang', 'naïve façade', 'žluťoučký kůň', 'İstanbul ığş', 'Žemaitija ąčę', 'příliš', 'ėįšųū', 'ÅØæ', 'őű', 'Ωπ∆', 'ďťň', 'Ñandú', 'Ærø', 'ÅÄÖåäö', 'plain', 'ľščť'),
  (2, '€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ', '€ ', '€uro “quotes”', 'ß', 'ß', '“”', '€„“', '€', '½¼', 'ß', '€', 'ß', '£', '£', 'e', '~', 'ß'),
  (3, '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', ''),
  (4, 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  '),
  (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE other_scripts (
  id INT PRIMARY KEY, koi8r VARCHAR(60) CHARACTER SET koi8r, koi8u VARCHAR(60) CHARACTER SET koi8u, cp1251 VARCHAR(60) CHARACTER SET cp1251, cp866 VARCHAR(60) CHARACTER SET cp866, greek VARCHAR(60) CHARACTER SET greek, hebrew VARCHAR(60) CHARACTER SET hebrew,
  cp1256 VARCHAR(60) CHARACTER SET cp1256, tis620 VARCHAR(60) CHARACTER SET tis620, armscii8 VARCHAR(60) CHARACTER SET armscii8, geostd8 VARCHAR(60) CHARACTER SET geostd8
) DEFAULT CHARSET = utf8mb4;
INSERT INTO other_scripts VALUES
  (1, 'Съешь ещё этих булок', 'Ґанок і їжак', 'Широкая электрификация €', 'Южных губерний ё', 'Ξεσκεπάζω την', 'דג סקרן שט', 'نص عربي', 'ภาษาไทย', 'Հայերեն', 'ქართული'),
  (2, '─│┌', 'ё', 'Ђѓ‰љ', '░▒▓', 'ΐΰ', 'שלום ', '،؛؟', 'กขฃ', 'Բար', 'ჟ'), (3, '', '', '', '', '', '', '', '', '', ''), (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE east_asian (
  id INT PRIMARY KEY, gbk VARCHAR(60) CHARACTER SET gbk, gbkc CHAR(10) CHARACTER SET gbk, gbkt MEDIUMTEXT CHARACTER SET gbk, gb2312 VARCHAR(60) CHARACTER SET gb2312, big5 VARCHAR(60) CHARACTER SET big5, sjis VARCHAR(60) CHARACTER SET sjis,
  cp932 VARCHAR(60) CHARACTER SET cp932, ujis VARCHAR(60) CHARACTER SET ujis, eucjpms VARCHAR(60) CHARACTER SET eucjpms, euckr VARCHAR(60) CHARACTER SET euckr
) DEFAULT CHARSET = utf8mb4;
INSERT INTO east_asian VALUES
  (1, '敏捷的棕色狐狸', '中文', '汉字與漢字', '你好世界', '繁體中文測試', 'いろはにほへと', '日本語①㈱', 'ちりぬるを', '髙﨑', '다람쥐 헌 쳇바퀴'),
  -- The second byte of these is that of a backslash, a quote's neighbour or a pipe in ASCII.
  (2, '誠乗乣', '誠', '璡', '啊', '許功蓋', 'ソ能表', 'ソ―十', '漢ｱ', 'ｱｲ', '뷁'), (3, '', '', '', '', '', '', '', '', '', ''), (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (5, 'mixed 中 text', 'a中 ', REPEAT('字', 20000), 'mixed 中', 'mixed 中', 'mixed あ', 'mixed あ', 'mixed あ', 'mixed あ', 'mixed 가');
CREATE TABLE unicode (
  id INT PRIMARY KEY, u8 VARCHAR(60) CHARACTER SET utf8mb4, u8c CHAR(20) CHARACTER SET utf8mb4, u3 VARCHAR(60) CHARACTER SET utf8mb3, u3c CHAR(10) CHARACTER SET utf8mb3, u16 VARCHAR(60) CHARACTER SET utf16, u16c CHAR(10) CHARACTER SET utf16,
  u16l VARCHAR(60) CHARACTER SET utf16le, u32 VARCHAR(60) CHARACTER SET utf32, u32c CHAR(10) CHARACTER SET utf32, u2 VARCHAR(60) CHARACTER SET ucs2, u2t TEXT CHARACTER SET ucs2, u16t TEXT CHARACTER SET utf16
) DEFAULT CHARSET = utf8mb4;
INSERT INTO unicode VALUES
  (1, '🚀👨‍👩‍👧‍👦🇨🇭', '𝒳', CONCAT('e', x'CC81'), 'é', '🚀a日', '🚀', '🚀a日', '🚀a日', '🚀', 'a日', '日本', '𝒳🚀'),
  (2, CONCAT('e', x'CC81', ' ', x'EFBBBF', 'bom'), 'é', CONCAT('e', x'CC81'), '日', CONCAT('e', x'CC81'), 'é', 'é', 'é', 'é', 'é', 'é', 'é'),
  (3, 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  ', 'end  '),
  (4, '', '', '', '', '', '', '', '', '', '', '', ''), (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (6, 'a\0b', 'a\0', 'a\0b', 'a\0', 'a\0b', 'a\0', 'a\0b', 'a\0b', 'a\0', 'a\0b', 'a\0b', 'a\0b'),
  (7, CONVERT(_utf32 0x10FFFF USING utf8mb4), CONVERT(_utf32 0xFFFF USING utf8mb4), CONVERT(_utf32 0xFFFD USING utf8mb4), CONVERT(_utf32 0x7FF USING utf8mb4), CONVERT(_utf32 0x10FFFF USING utf8mb4), CONVERT(_utf32 0x10000 USING utf8mb4), CONVERT(_utf32 0x10000 USING utf8mb4), CONVERT(_utf32 0x10FFFF USING utf8mb4), CONVERT(_utf32 0x800 USING utf8mb4), CONVERT(_utf32 0xE000 USING utf8mb4), CONVERT(_utf32 0xD7FF USING utf8mb4), CONVERT(_utf32 0xFFFE USING utf8mb4));
